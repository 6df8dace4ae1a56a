"""Trial dialect: rooms are joined, messages are lines of text, and the rest is not said."""

from collections.abc import Mapping
from typing import Any


class TrialDialect:
    path = "/trial"

    def say(self, event: str, data: Mapping[str, Any]) -> tuple[str, object] | None:
        match event:
            case "message":
                return "line", f"{data['conversationId']}: {data['content']}"
            case "typing" if data["isTyping"]:
                return "writes", data["userId"]
            case "error":
                return "refused", data["code"]
        return None

    def hear(self, event: str, arguments: tuple[object, ...]) -> tuple[str, tuple[object, ...]]:
        match event, arguments:
            case "join", _:
                return "subscribe:conversation", arguments
            case "say", (room, words):
                return "message", ({"conversationId": room, "content": words},)
        return "unknown", ()
