"""The words of `/docs` that belong to no single route: how to begin, what routes have in common, how events come."""

QUICK_START_WORDS = """With the key and the conversation that `./ops/up` prints. Paste it line by line into a shell: it
sends a message, edits it, and then hears of both."""

# What `take` is for can be done with any JSON tool; grep and sed are on every machine.
QUICK_START = r"""KEY=cf_dev_…      # "API key" in what ./ops/up prints
CONVERSATION=1    # "Conversation"
API=http://127.0.0.1:8000/api/v1/chat
take() { grep -o "\"$1\": *\"*[^\",}]*" | head -n 1 | tr -d '"' | sed 's/.*: *//'; }

# Where the log of events ends now: whatever comes after it is told.
CURSOR=$(curl -s "$API/events?after=latest" -H "X-API-Key: $KEY" | take nextCursor)

# Send.
SENT=$(curl -s $API/conversations/$CONVERSATION/messages -H "X-API-Key: $KEY" \
  -H 'Content-Type: application/json' -d '{"content": "Hello"}')
echo "$SENT"
MESSAGE=$API/conversations/$CONVERSATION/messages/$(echo "$SENT" | take id)

# Edit: with the ETag of the version you have seen, so that nobody's change is undone unseen.
ETAG=$(curl -si $MESSAGE -H "X-API-Key: $KEY" | tr -d '\r' | sed -n 's/^[Ee][Tt][Aa][Gg]: //p')
curl -X PATCH $MESSAGE -H "X-API-Key: $KEY" -H "If-Match: $ETAG" \
  -H 'Content-Type: application/json' -d '{"content": "Hello again"}'

# Catch up: message.new, then message.updated. With nothing new, `wait` holds the request until something happens.
curl "$API/events?after=$CURSOR&wait=20" -H "X-API-Key: $KEY"
"""

SHOWING_WORDS = """Whatever people wrote is text, as they wrote it: `content`, `lastMessagePreview`, names, `senderId`,
file names and `metadata`. Whoever puts it on a page escapes it, on every way that it came (routes, events, webhooks,
channels, sockets). An account that would rather have HTML asks for it once with `PATCH /account` and
`{"contentHtml": true}`: then `contentHtml` stands beside every `content`, and `lastMessagePreviewHtml` beside the
preview. Both are safe to put on a page: bold, links, lists and the like are left, whatever acts or loads is not.
`highlight` of a search is safe as well. Everything else stays text."""

SHOWING = """function show(list, message) {
  const item = document.createElement('li')
  if (message.contentHtml) item.innerHTML = message.contentHtml // made safe by the server
  else item.textContent = message.content // text: nothing in it can act
  list.append(item)
}
"""

CONVENTIONS = {
    "Answers": 'A success is `{"success": true, "data": …}`; a list adds `pagination`. Times are RFC 3339 in UTC.',
    "Errors": "`application/problem+json` with `code`, `detail` and `requestId`; `errors` names each faulty field by"
    " its JSON Pointer and says what to send. [Every code](/docs/problems).",
    "Pages": "Send `nextCursor` as `cursor` (messages: as `before_seq` or `after_seq`; events: as `after`) until"
    ' `hasMore` is false; the header `Link: <…>; rel="next"` has the whole URL.',
    "Doing once": "With an `Idempotency-Key` any POST can be repeated for a day: it is done once, and the first answer"
    " comes again with `Idempotency-Replayed: true`. Messages have `clientMessageId` as well, for ever.",
    "Changing": "GET answers an `ETag`. Send it as `If-Match` with a change: 412 says that somebody was faster.",
    "Limits": "Of a key and above it of its account, by the minute: `RateLimit` and `X-RateLimit-Remaining` tell what"
    " is left; a 429 has `Retry-After`.",
    "Writing only": "A key with `chat:write` and without `chat:read` is answered a receipt: of the described fields"
    " only ids, numbers, states and times, never what somebody wrote.",
    "Other names": "`type` is accepted for `messageType`; webhooks may subscribe to `message.received` and"
    " `message.sent`, which are `message.new` of one direction under these names; a `limit` above 100 is 100 where"
    " conversations are listed. All of them are here to stay.",
    "Numbers": "`seq` counts the events of a conversation without gaps: a gap in what you hear is something missed.",
    "Files": "`POST /attachments`, then PUT the bytes to `upload.url` with `upload.headers`, then `/confirm`, then send"
    " a message with `attachmentIds`.",
}

EVENTS = """The types that `GET /events` lists and that webhooks are sent, with the same body. Each is told after it was
committed, at least once: drop repeats by `eventId`; within a conversation the order is that of `conversationSeq`.

A request to a webhook has the headers `webhook-id` (the `eventId`), `webhook-timestamp` and `webhook-signature`, as
Standard Webhooks 1.0 has them: verify the raw body with any of its libraries. Answer 2xx within 15 seconds and work
afterwards. `endpoint.*` and `webhook.ping` are sent to webhooks only; they are not in the log."""
