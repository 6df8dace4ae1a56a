// A chat with the client that openapi-typescript makes of the document (api.ts, beside this file's copy) and openapi-fetch.
import createClient from 'openapi-fetch'
import type { components, paths } from './api.ts'

declare const process: { env: { API: string; KEY: string } }

const { API: baseUrl, KEY: key } = process.env
const client = createClient<paths>({ baseUrl, headers: { 'X-API-Key': key } })
const CONVERSATIONS = '/api/v1/chat/conversations'

function must<T>(answer: { data?: T; error?: components['schemas']['Problem'] }): T {
  if (answer.data === undefined) throw new Error(answer.error?.detail)
  return answer.data
}

// Its patterns are regular expressions to a browser, too.
const document = await (await fetch(`${baseUrl}/api/v1/openapi.json`)).text()
JSON.parse(document, (name, value) => (name === 'pattern' ? new RegExp(value, 'u') : value))

const { pagination } = must(await client.GET('/api/v1/chat/events', { params: { query: { after: 'latest' } } }))
const made = must(await client.POST(CONVERSATIONS, { body: { contactJid: 'ana@example.com' } })).data
const path = { conversation_id: made.id }
const messages = `${CONVERSATIONS}/{conversation_id}/messages` as const
const sent = await client.POST(messages, { params: { path }, body: { content: 'Hello' } })
const { id, seq }: components['schemas']['Message'] = must(sent).data

const one = { ...path, message_id: id }
const shown = await client.GET(`${messages}/{message_id}`, { params: { path: one } })
const edited = await client.PATCH(`${messages}/{message_id}`, {
  params: { path: one, header: { 'If-Match': shown.response.headers.get('ETag') ?? '' } },
  body: { content: 'Hello, Ana' },
})

const history: components['schemas']['ImportMessage'][] = [
  { content: 'Long ago', direction: 'incoming', createdAt: '2020-01-01T10:00:00Z' },
]
const imported = await client.POST(`${messages}:import`, { params: { path }, body: { messages: history } })

const query = { after: pagination.nextCursor ?? '', wait: 5 }
const told: string[] = []
for (const event of must(await client.GET('/api/v1/chat/events', { params: { query } })).data) {
  if (event.type === 'message.new' || event.type === 'message.updated') told.push(`${event.type} ${event.data.content}`)
}

const refused = await client.POST(messages, { params: { path }, body: { content: ' ' } })

const seen = {
  seq,
  location: sent.response.headers.get('Location'),
  edited: must(edited).data.content,
  imported: must(imported).data.imported,
  told,
  refused: refused.error?.errors?.[0]?.pointer,
}
console.log(JSON.stringify(seen))
