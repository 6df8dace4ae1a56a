"""Requests of legacy clients, once read, and their mistakes."""

from dataclasses import dataclass


class Mistake(Exception):
    """The client asked for something it cannot have; `code` is for its program, the text for its author."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def not_found() -> Mistake:
    """The one answer for an unknown conversation and for somebody else's."""
    return Mistake("not_found", "There is no such conversation.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A message as a legacy client sends it."""

    conversation_id: int
    content: str
    message_type: str
    client_message_id: str | None
