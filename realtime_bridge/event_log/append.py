"""Statement that adds a message. For REST and WhatsApp, for legacy clients and for the canary."""

from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from realtime_bridge.shared import sql

APPEND_MESSAGE = sql.Statements(__file__)["append_message"]
"""Takes a NewMessage's values; returns id and payload as text, or no row when the account has no such conversation.
Raises UniqueViolation for a client_message_id that is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """What somebody writes. `metadata` and `attachments` are JSON texts, because Postgres is the next to read them."""

    content: str
    direction: str
    message_type: str | None = "text"
    """None: of the kind that the attachments are of."""
    client_message_id: str | None = None
    sender_id: str | None = None
    reply_to_id: int | None = None
    metadata: str = "{}"
    attachment_ids: tuple[UUID, ...] = ()
    """Files that are to go along; `attachments` is what is shown of them."""
    attachments: str = "[]"

    def named(self) -> dict[str, Any]:
        """Return the fields by name, in a tenth of the 20 µs that `asdict` takes to copy them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def values(
        self,
        account_id: UUID,
        conversation_id: int,
        event_id: UUID | None = None,
        *,
        status_sent: str = "pending",
        provider_message_id: str | None = None,
        origin: str = "api",
    ) -> dict[str, Any]:
        """Return what the statement takes: what others sent has arrived, unread; what we send is on its way."""
        is_incoming = self.direction == "incoming"
        return self.named() | {
            "direction": str(self.direction),  # plain texts: enums take psycopg 5 µs more
            "message_type": self.message_type and str(self.message_type),
            "account_id": account_id,
            "conversation_id": conversation_id,
            "event_id": event_id,
            "attachment_ids": list(self.attachment_ids),  # an array to Postgres, where a tuple is a record
            "status": "delivered" if is_incoming else status_sent,
            "provider_message_id": provider_message_id,
            "origin": origin,
            "unread": int(is_incoming),
        }
