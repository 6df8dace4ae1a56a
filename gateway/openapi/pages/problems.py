"""Problem types: code, status, title, and what to do about each. What `/docs/problems` shows."""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.errors import ProblemError
from gateway.http.problems import WORDS
from gateway.process.refusals import DETAILS

ADVICE = {
    "malformed_json": "The body is not JSON; the detail says where. Duplicate names and NaN are refused, too.",
    "api_key_conflict": "X-API-Key and Authorization hold different keys. Send one.",
    "idempotency_key_invalid": "Send 1 to 255 printable characters, plain or quoted. A UUID is a good choice.",
    "api_key_missing": "Send your key in X-API-Key or as Authorization: Bearer.",
    "api_key_invalid": "The key has a typo, is not known, or its secret is wrong: which of them is not told.",
    "api_key_expired": "The key's time is over, or it was rotated and the overlap is over. Use its successor.",
    "api_key_revoked": "The key was revoked, for good. Use another one.",
    "signature_invalid": "A webhook sent to us was not signed with the channel's key. Set the same key on both sides.",
    "scope_missing": "The detail names the scope. Use a key that has it.",
    "provider_account_mismatch": "The webhook is signed, but of another account of the messenger than the channel's.",
    "scope_not_held": "A key can only make and rotate keys with scopes that it has itself.",
    "not_found": "There is no such path, or no such thing in your account. What others own is not told apart.",
    "method_not_allowed": "The Allow header lists the methods of this path.",
    "status_conflict": "A status moves forward only. Get the message and look at its status.",
    "provider_message_id_conflict": "The message has another provider id already. Leave the field out.",
    "channel_name_taken": "Choose another name, or change the channel that has it.",
    "too_many_channels": "Delete a channel that nobody needs; its conversations stay.",
    "message_deleted": "A deleted message stays as it is.",
    "owner_stays": "The account's own user is the owner of its conversations.",
    "too_many_participants": "Remove somebody first.",
    "attachment_not_uploaded": "Put the bytes to the upload URL, then confirm, then use the id.",
    "attachment_taken": "A file belongs to one message. Upload it again for another one.",
    "idempotency_in_flight": "The first request with this Idempotency-Key is under way. Repeat it after Retry-After.",
    "key_not_active": "Only a key that works, and was not rotated before, can be rotated. Create a new one.",
    "too_many_keys": "Revoke keys that nobody uses; lastUsedAt tells which.",
    "too_many_webhooks": "Delete a webhook that nobody needs.",
    "too_many_secrets": "Wait until an old secret's overlap is over, or delete one.",
    "last_secret": "Make another secret first; a webhook cannot be without one.",
    "webhook_disabled": "Enable it first; it was disabled after days of failures, or by a 410.",
    "enabled_too_soon": "Repair the receiver, then enable again after Retry-After.",
    "already_delivered": "There is nothing to retry. Ask for its replay to have it sent once more, under the same id.",
    "conflict": "The detail says what it conflicts with.",
    "cursor_expired": "Events after this cursor are no longer kept. Take a cursor with after=latest, fetch your"
    " state anew, and go on from the cursor; or go on from oldestCursor and accept the gap.",
    "request_timeout": "The request stopped on its way. Send it again; nothing was stored.",
    "precondition_failed": "Somebody changed it since you read it. Read it again, decide again, send the new ETag.",
    "payload_too_large": "Send less; the detail says how much is taken.",
    "unsupported_media_type": "Send JSON in UTF-8 with Content-Type: application/json.",
    "validation_failed": "`errors` names every fault: where (a JSON Pointer or a parameter), a code, what to do.",
    "client_message_id_reused": "The clientMessageId belongs to a message with other content. Use a new one.",
    "idempotency_key_reused": "The Idempotency-Key had another payload. Use a new one, or repeat the old request.",
    "attachment_rejected": "The bytes are not of the type or size that was announced. Announce what it is.",
    "precondition_required": "Send If-Match with the ETag you have seen, so that nobody's change is undone unseen.",
    "rate_limited": "Wait as long as Retry-After says. RateLimit tells how much is left before it comes to that.",
    "too_many_failed_keys": "Too many invalid keys came from this address. Wait as long as Retry-After says.",
    "not_configured": "The operator of this deployment has not switched it on.",
    "realtime_not_configured": "The operator has not told the gateway where clients connect, or how to sign tokens.",
    "webhooks_not_configured": "The operator has not set CROSSFADE_SECRETS_KEY.",
    "service_unavailable": "The database does not answer. Try again with the same Idempotency-Key or clientMessageId.",
    "internal_error": "A fault of ours. Report it with the request id; nothing was stored.",
    "bad_request": "The request cannot be read as HTTP.",
    "forbidden": "This server is spoken to in a way its operator does not allow.",
    "uri_too_long": "Send a shorter path and query.",
    "expectation_failed": "Leave the Expect header out.",
    "header_fields_too_large": "Send fewer and shorter headers.",
    "not_implemented": "Send the body plain or chunked, without another transfer coding.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemType:
    code: str
    status: int
    title: str

    @property
    def advice(self) -> str:
        return ADVICE.get(self.code, self.title + ".")


def problem_types() -> dict[str, ProblemType]:
    """By code, in the order of their statuses."""
    found = {kind.code: ProblemType(code=kind.code, status=kind.status, title=kind.title) for kind in _kinds()}
    for status, (code, title, _) in WORDS.items():
        found.setdefault(code, ProblemType(code=code, status=status, title=title))
    for status, (code, detail) in DETAILS.items():
        found.setdefault(code, ProblemType(code=code, status=status, title=detail.rstrip(".")))
    return dict(sorted(found.items(), key=lambda item: (item[1].status, item[0])))


def _kinds() -> Iterator[type[ProblemError]]:
    """Every class that says a code of its own."""
    waiting: list[type[ProblemError]] = [ProblemError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if "code" in vars(kind) and (not kind.__subclasses__() or kind.code in ADVICE):
            yield kind
