"""The words of `/docs` that belong to no single route: how to begin, and how events come."""

QUICK_START = """<section id="start"><h2>The first message</h2><p>With the key and the conversation that
<code>./ops/up</code> prints:</p><pre>KEY=cf_dev_…
API=http://127.0.0.1:8000/api/v1/chat
# send
curl -i $API/conversations/1/messages -H "X-API-Key: $KEY" -H 'Content-Type: application/json' \\
  -d '{"content": "Hello"}'
# edit: the ETag of the version you have seen
curl -si $API/conversations/1/messages/1 -H "X-API-Key: $KEY" | grep -i etag
curl -X PATCH $API/conversations/1/messages/1 -H "X-API-Key: $KEY" -H 'If-Match: *' \\
  -H 'Content-Type: application/json' -d '{"content": "Hello again"}'
# everything that happened, then wait for more
curl "$API/events" -H "X-API-Key: $KEY"
curl "$API/events?wait=20&amp;after=CURSOR" -H "X-API-Key: $KEY"</pre></section>"""

EVENTS = """The types that `GET /events` lists and that webhooks are sent, with the same body. Each is told after it was
committed, at least once: drop repeats by `eventId`; within a conversation the order is that of `conversationSeq`.

A request to a webhook has the headers `webhook-id` (the `eventId`), `webhook-timestamp` and `webhook-signature`, as
Standard Webhooks 1.0 has them: verify the raw body with any of its libraries. Answer 2xx within 15 seconds and work
afterwards. `endpoint.*` and `webhook.ping` are sent to webhooks only; they are not in the log."""
