"""Guide of `/docs` that others read, too: conventions, and showing content."""

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
    " a message with `attachmentIds`: they are enough, its type follows from them.",
}
