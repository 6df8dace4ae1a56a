// A user's browser, twice: one official client on each side, in the same conversations. Prints every message it is
// handed as a line of JSON. With `catchUp` it does what the documentation asks of a client: on a reconnect and on a
// gap in seq it fetches what it missed before it goes on, so the application above it sees one ordered stream.
//
// argv[2]: {supabaseUrl, anonKey, token, bridgeUrl, gatewayUrl, apiKey, conversations: [id], catchUp: bool,
//   sides: ['supabase', 'legacy']}
// stdin: any line asks every stream to fetch what it lacks, as one does on waking; it is answered with {type: 'asked'}.
import { createClient } from '@supabase/supabase-js'
import { io } from 'socket.io-client'

const config = JSON.parse(process.argv[2])
const print = (line) => process.stdout.write(JSON.stringify({ at: Date.now() / 1000, ...line }) + '\n')

const streams = []

class Stream {
  // One side's view of one conversation.
  constructor(side, conversationId) {
    streams.push(this)
    this.side = side
    this.conversationId = conversationId
    this.lastSeq = 0
    this.work = Promise.resolve() // one thing at a time: a catch-up finishes before the next live message is looked at
  }

  live(message) {
    this.work = this.work.then(async () => {
      if (config.catchUp && message.seq > this.lastSeq + 1) await this.fetchMissed()
      this.show(message, 'live')
    })
  }

  reconnected() {
    if (config.catchUp) this.work = this.work.then(() => this.fetchMissed())
  }

  async fetchMissed() {
    for (let more = true; more; ) {
      const answer = await this.getPage().catch(() => null)
      if (!answer) {
        await new Promise((resolve) => setTimeout(resolve, 250)) // the gateway is restarting, too: ask again
        continue
      }
      for (const message of answer.data) this.show(message, 'catch-up')
      more = answer.pagination.hasMore
    }
  }

  async getPage() {
    const path = `/api/v1/chat/conversations/${this.conversationId}/messages?after_seq=${this.lastSeq}&limit=100`
    const response = await fetch(config.gatewayUrl + path, {
      headers: { 'X-API-Key': config.apiKey },
      signal: AbortSignal.timeout(5000),
    })
    if (!response.ok) throw new Error(`HTTP ${response.status}`)
    return response.json()
  }

  show({ seq, eventId }, via) {
    print({ type: 'message', side: this.side, conversationId: this.conversationId, seq, eventId, via })
    this.lastSeq = Math.max(this.lastSeq, seq)
  }
}

async function listenToSupabase(onReady) {
  const client = createClient(config.supabaseUrl, config.anonKey, { accessToken: async () => config.token })
  await client.realtime.setAuth() // the first join must carry the token already
  let waiting = config.conversations.length
  for (const id of config.conversations) {
    const stream = new Stream('supabase', id)
    let joined = false
    client
      .channel(`conversation:${id}`, { config: { private: true } })
      .on('broadcast', { event: 'message.new' }, ({ payload }) => stream.live(payload))
      .subscribe((status, error) => {
        if (status !== 'SUBSCRIBED') return print({ type: 'status', side: 'supabase', conversationId: id, status, error: error?.message })
        if (joined) return stream.reconnected()
        joined = true
        if (--waiting === 0) onReady()
      })
  }
}

function listenToLegacy(onReady) {
  const socket = io(config.bridgeUrl, { path: '/api/ws', auth: { token: config.token }, reconnectionAttempts: 60 })
  const rooms = new Map(config.conversations.map((id) => [String(id), new Stream('legacy', id)]))
  let ready = false
  socket.on('message', (message) => rooms.get(message.conversationId)?.live(message))
  socket.on('connect_error', (error) => print({ type: 'status', side: 'legacy', status: 'connect_error', error: error.message }))
  socket.on('disconnect', (reason) => print({ type: 'status', side: 'legacy', status: 'disconnect', error: reason }))
  socket.on('connect', async () => {
    for (const id of rooms.keys()) {
      const answer = await socket.timeout(10000).emitWithAck('subscribe:conversation', id).catch((error) => ({ error }))
      if (answer?.error) print({ type: 'status', side: 'legacy', conversationId: Number(id), status: 'refused', error: answer.error })
      else print({ type: 'joined', side: 'legacy', conversationId: Number(id), lastSeq: answer.lastSeq })
    }
    if (ready) for (const stream of rooms.values()) stream.reconnected()
    else onReady()
    ready = true
  })
}

const listen = { supabase: listenToSupabase, legacy: listenToLegacy }
await Promise.all(config.sides.map((side) => new Promise(listen[side])))
print({ type: 'ready' })

process.stdin.on('end', () => process.exit(0)) // whoever started this has gone
process.stdin.on('data', () => {
  print({ type: 'asked' })
  for (const stream of streams) stream.reconnected()
})
