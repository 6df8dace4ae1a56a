// Official clients on both sides, per user, that print every `rollout.changed`.
// In:  {do: "listen", user, token, supabaseUrl, anonKey, bridgeUrl}
// Out: {user, is: "listening"} once both sides are joined · {user, is: "told", side, version, eventId}
import readline from 'node:readline'
import { createClient } from '@supabase/supabase-js'
import { io } from 'socket.io-client'

const print = (line) => process.stdout.write(JSON.stringify(line) + '\n')

async function listen ({ user, token, supabaseUrl, anonKey, bridgeUrl }) {
  const told = (side, { version, eventId }) => print({ user, is: 'told', side, version, eventId })
  const client = createClient(supabaseUrl, anonKey, { accessToken: async () => token })
  await client.realtime.setAuth()
  const inbox = new Promise((resolve, reject) => client
    .channel(`user:${user}:inbox`, { config: { private: true } })
    .on('broadcast', { event: 'rollout.changed' }, ({ payload }) => told('supabase', payload))
    .subscribe((status, error) => (status === 'SUBSCRIBED' ? resolve() : reject(error ?? new Error(status)))))
  const socket = io(bridgeUrl, { path: '/api/ws', auth: { token }, forceNew: true })
  socket.on('rollout.changed', (notice) => told('socketio', notice))
  await Promise.all([inbox, new Promise((resolve) => socket.on('connect', resolve))])
  print({ user, is: 'listening' })
}

readline.createInterface({ input: process.stdin })
  .on('line', (line) => listen(JSON.parse(line)))
  .on('close', () => process.exit(0))
