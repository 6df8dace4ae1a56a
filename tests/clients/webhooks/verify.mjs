// The official verifier of Standard Webhooks for JavaScript. Reads lines {secret, headers, body} (body in base64), and
// answers each with {event} or {error}.
import { createInterface } from 'node:readline'
import { Webhook } from 'standardwebhooks'

for await (const line of createInterface({ input: process.stdin })) {
  const { secret, headers, body } = JSON.parse(line)
  let answer
  try {
    answer = { event: new Webhook(secret).verify(Buffer.from(body, 'base64').toString('utf8'), headers) }
  } catch (error) {
    answer = { error: `${error.name}: ${error.message}` }
  }
  process.stdout.write(JSON.stringify(answer) + '\n')
}
