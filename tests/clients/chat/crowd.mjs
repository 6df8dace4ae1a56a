// Many users of a chat in one process, each on the official client of the provider it was told. Each asks
// `POST /realtime/sessions`, follows `rollout.changed` to the other side, keeps the standby of its session open if it is
// one who does, catches up by seq after every (re)connect and on every gap, drops repeats by eventId, and sends on the
// side it is on. Prints a line for all it shows and sends.
//
// argv[2]: {gatewayUrl, bridgeUrl, apiKey, users: [{id, conversations: [id], keepsStandby}], paceMs, askAgainMs}; the
// line {"do":"hush"} on stdin ends the sending.
import { randomUUID } from 'node:crypto'
import readline from 'node:readline'
import { createClient } from '@supabase/supabase-js'
import { io } from 'socket.io-client'

const config = JSON.parse(process.argv[2])
const print = (line) => process.stdout.write(JSON.stringify({ at: Date.now() / 1000, ...line }) + '\n')
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
let hushed = false

async function call(method, path, body) {
  const response = await fetch(config.gatewayUrl + '/api/v1/chat' + path, {
    method,
    headers: { 'X-API-Key': config.apiKey, ...(body && { 'Content-Type': 'application/json' }) },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(10000),
  })
  if (!response.ok) throw new Error(`HTTP ${response.status} ${await response.text()}`)
  return response.json()
}

class Legacy {
  provider = 'socketio'

  constructor(user, session) {
    const { url, path } = session.provider === this.provider ? session : session.standby
    this.user = user
    this.socket = io(url ?? config.bridgeUrl, {
      path,
      auth: (done) => done({ token: this.token }),
      reconnectionAttempts: Infinity,
      reconnectionDelayMax: 1500,
      forceNew: true,
    })
    this.token = session.token
    this.socket.on('message', (message) => user.live(Number(message.conversationId), message, this))
    this.socket.on('rollout.changed', ({ version }) => user.ask('told', version))
  }

  join() {
    return new Promise((resolve) => {
      let joined = false
      this.socket.on('connect', async () => {
        for (const id of this.user.conversations) {
          await this.socket.timeout(10000).emitWithAck('subscribe:conversation', String(id)).catch(() => null)
        }
        if (joined) this.user.reconnected()
        joined = true
        resolve()
      })
    })
  }

  async send(conversationId, content, clientMessageId) {
    const message = { conversationId: String(conversationId), content, clientMessageId }
    const answer = await this.socket.timeout(5000).emitWithAck('message', message)
    if (!answer.ok) throw new Error(answer.error.code)
    return answer
  }

  async close() {
    this.socket.disconnect()
  }
}

class Supabase {
  provider = 'supabase'

  constructor(user, session) {
    this.user = user
    this.topics = session.topics.filter((topic) => !topic.startsWith('presence:'))
    this.token = session.token
    this.client = createClient(session.url, session.publicKey, { accessToken: async () => this.token })
  }

  async join() {
    await this.client.realtime.setAuth() // the first join must carry the token already
    await Promise.all(this.topics.map((topic) => this.joinTopic(topic)))
  }

  joinTopic(topic) {
    return new Promise((resolve) => {
      let joined = false
      this.client
        .channel(topic, { config: { private: true } })
        .on('broadcast', { event: '*' }, ({ event, payload }) => this.heard(topic, event, payload))
        .subscribe((status, error) => {
          if (status !== 'SUBSCRIBED') return print({ type: 'status', topic, status, error: error?.message })
          if (joined) this.user.reconnected()
          joined = true
          resolve()
        })
    })
  }

  heard(topic, event, payload) {
    if (event === 'rollout.changed') return this.user.ask('told', payload.version)
    if (event === 'message.new' && topic.startsWith('conversation:')) this.user.live(Number(topic.slice(13)), payload, this)
  }

  async send(conversationId, content, clientMessageId) {
    // as the legacy side writes it for a client: a resend over here then says the same
    const body = { content, clientMessageId, senderId: this.user.id, direction: 'incoming' }
    return (await call('POST', `/conversations/${conversationId}/messages`, body)).data
  }

  async close() {
    await this.client.removeAllChannels()
    this.client.realtime.disconnect()
  }
}

const SIDES = { socketio: Legacy, supabase: Supabase }

class User {
  constructor({ id, conversations, keepsStandby }) {
    this.id = id
    this.conversations = conversations
    this.keepsStandby = keepsStandby
    this.open = new Map() // provider → side
    this.lastSeq = new Map(conversations.map((id) => [id, 0]))
    this.shown = new Set()
    this.side = null
    this.work = Promise.resolve() // one thing at a time: a catch-up ends before the next live message is looked at
    this.asking = Promise.resolve()
  }

  ask(why, version = 0) {
    this.asking = this.asking
      .then(() => this.follow(why, version))
      .catch((error) => print({ type: 'status', user: this.id, error: error.message }))
    return this.asking
  }

  async follow(why, version) {
    let session = await this.getSession()
    for (let tries = 0; session.version < version && tries < 50; tries++) {
      await pause(100) // the gateway that answered had not heard yet
      session = await this.getSession()
    }
    const keeps = session.provider === 'supabase' && session.standby && this.keepsStandby
    const wanted = [session.provider, ...(keeps ? [session.standby.provider] : [])]
    const missing = wanted.filter((provider) => !this.open.has(provider))
    for (const provider of missing) this.open.set(provider, new SIDES[provider](this, session))
    await Promise.all(missing.map((provider) => this.open.get(provider).join()))
    if (missing.length) this.catchUp() // joined first, then fetched: nothing can fall between
    const before = this.side
    this.side = this.open.get(session.provider)
    for (const [provider, side] of this.open) {
      if (wanted.includes(provider)) continue
      this.open.delete(provider)
      await side.close()
    }
    if (this.side === before) return
    print({ type: 'joined', user: this.id, provider: session.provider, why, version: session.version })
  }

  async getSession() {
    for (;;) {
      const answer = await call('POST', '/realtime/sessions', { userId: this.id }).catch(() => null)
      if (answer) return answer.data
      await pause(250)
    }
  }

  reconnected() {
    this.catchUp()
    this.ask('reconnected')
  }

  live(conversationId, message, side) {
    this.work = this.work.then(async () => {
      if (message.seq > this.lastSeq.get(conversationId) + 1) await this.fetchMissed(conversationId)
      this.show(conversationId, message, side.provider)
    })
  }

  catchUp() {
    for (const id of this.conversations) this.work = this.work.then(() => this.fetchMissed(id))
  }

  async fetchMissed(conversationId) {
    for (let more = true; more; ) {
      const path = `/conversations/${conversationId}/messages?after_seq=${this.lastSeq.get(conversationId)}&limit=100`
      const answer = await call('GET', path).catch(() => null)
      if (!answer) {
        await pause(250)
        continue
      }
      for (const message of answer.data) this.show(conversationId, message, 'catch-up')
      more = answer.pagination.hasMore
    }
  }

  show(conversationId, { seq, eventId }, via) {
    const repeat = this.shown.has(eventId)
    print({ type: repeat ? 'repeat' : 'message', user: this.id, conversationId, seq, eventId, via })
    this.shown.add(eventId)
    this.lastSeq.set(conversationId, Math.max(this.lastSeq.get(conversationId), seq))
  }

  async talk() {
    await pause(Math.random() * config.paceMs)
    for (let number = 0; !hushed; number++) {
      await this.send(this.conversations[number % this.conversations.length], `${number} of ${this.id}`)
      await pause(config.paceMs * (0.5 + Math.random()))
    }
    print({ type: 'hushed', user: this.id })
  }

  async send(conversationId, content) {
    const clientMessageId = randomUUID()
    for (let tries = 1; ; tries++) {
      const receipt = await this.side.send(conversationId, content, clientMessageId).catch(() => null)
      if (receipt) {
        return print({ type: 'sent', user: this.id, conversationId, seq: receipt.seq, eventId: receipt.eventId, tries })
      }
      await pause(200)
    }
  }
}

const users = config.users.map((user) => new User(user))
await Promise.all(users.map((user) => user.ask('start')))
print({ type: 'ready' })
for (const user of users) {
  user.talk()
  setInterval(() => user.ask('time'), config.askAgainMs * (0.5 + Math.random()))
}
readline
  .createInterface({ input: process.stdin })
  .on('line', () => (hushed = true))
  .on('close', () => process.exit(0))
