"""A consumer's copy of an account's chat: fetched once, then kept by events. The rules of README's "State from events".

Knows HTTP and events, and nothing of how either is made. The tests compare it with a copy that is fetched afresh.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Get = Callable[[str], Any]
"""GET a path below /api/v1/chat; return the whole answer's document."""

PREVIEW_CHARS = 100
OF_THE_EVENT = ("seq", "eventId")
CONVERSATIONS_PER_PAGE = 100


@dataclass(slots=True)
class ChatState:
    conversations: dict[int, dict[str, Any]] = field(default_factory=dict)
    messages: dict[int, dict[int, dict[str, Any]]] = field(default_factory=dict)
    """By conversation, then by id."""
    filled_gaps: int = 0

    @classmethod
    def fetch(cls, get: Get) -> "ChatState":
        """Fetch everything there is."""
        state = cls()
        cursor: str | None = ""
        while cursor is not None:
            page = get(f"/conversations?limit={CONVERSATIONS_PER_PAGE}{cursor}")
            for listed in page["data"]:
                whole = get(f"/conversations/{listed['id']}")["data"]
                state.conversations[listed["id"]] = whole
                state.messages[listed["id"]] = _fetch_messages(get, listed["id"])
            following = page["pagination"]["nextCursor"]
            cursor = f"&cursor={following}" if following else None
        return state

    def apply(self, kind: str, payload: dict[str, Any], get: Get) -> None:
        """Apply one event. What was applied before changes nothing; a gap is an error of the sender."""
        is_message = kind.startswith("message.")
        conversation_id = payload["conversationId" if is_message else "id"]
        known = self.conversations.get(conversation_id)
        if known is not None and payload["seq"] <= known["lastSeq"]:
            return
        expected = 0 if known is None else known["lastSeq"] + 1
        assert payload["seq"] == expected, f"{kind} has seq {payload['seq']}, not {expected}"
        if is_message:
            assert known is not None
            self._apply_message(kind, payload, known)
        else:
            self._apply_conversation(payload, known or {}, get)

    def _apply_conversation(self, payload: dict[str, Any], known: dict[str, Any], get: Get) -> None:
        """The event's fields take the place of the old ones; `participants` comes only when they have changed."""
        conversation_id, first_seq = payload["id"], known.get("firstSeq", 0)
        self.conversations[conversation_id] = known | _state_of(payload) | {"lastSeq": payload["seq"]}
        self.messages.setdefault(conversation_id, {})
        if payload["firstSeq"] < first_seq:  # history was imported before what we have
            path = f"/conversations/{conversation_id}/messages?limit=100&before_seq={first_seq or 1}"
            while path:
                page = get(path)
                self.messages[conversation_id] |= {
                    message["id"]: _state_of(message) for message in page["data"] if message["messageSeq"] < 0
                }
                more = page["pagination"]["nextCursor"]
                path = f"/conversations/{conversation_id}/messages?limit=100&before_seq={more}" if more else ""
            self.filled_gaps += 1

    def _apply_message(self, kind: str, payload: dict[str, Any], conversation: dict[str, Any]) -> None:
        self.messages[conversation["id"]][payload["id"]] = _state_of(payload)
        conversation["lastSeq"] = payload["seq"]
        conversation["updatedAt"] = payload["updatedAt"]
        if kind == "message.new":
            if payload["direction"] == "incoming" and payload["status"] != "read":
                conversation["unreadCount"] += 1
            if (conversation["lastMessageAt"] or "") <= payload["createdAt"]:
                conversation["lastMessageAt"] = payload["createdAt"]
                preview = payload["content"][:PREVIEW_CHARS] or f"[{payload['messageType']}]"
                conversation["lastMessagePreview"] = preview


def _fetch_messages(get: Get, conversation_id: int) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    path = f"/conversations/{conversation_id}/messages?limit=100"
    while path:
        page = get(path)
        found |= {message["id"]: _state_of(message) for message in page["data"]}
        more = page["pagination"]["nextCursor"]
        path = f"/conversations/{conversation_id}/messages?limit=100&before_seq={more}" if more else ""
    return found


def _state_of(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in OF_THE_EVENT}
