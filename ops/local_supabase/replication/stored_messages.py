"""Rows of realtime.messages from the log, turned into broadcasts."""

import structlog

from ops.local_supabase.replication.pgoutput import Change, Operation, Value
from ops.local_supabase.settings import Limits
from ops.local_supabase.sockets.hub import Hub
from ops.local_supabase.sockets.rates import Rates
from ops.local_supabase.wire import json_text, payload_size
from ops.local_supabase.wire.frames import Encoding
from ops.local_supabase.wire.messages import UserFanout

SLOT_PREFIX = "supabase_realtime_messages_replication_slot"
PUBLICATION = "supabase_realtime_messages_publication"

_log = structlog.get_logger(__name__)


class StoredMessages:
    """Publishes every inserted row that has a topic, an event, a payload and says whether it is private."""

    def __init__(self, hub: Hub, rates: Rates, limits: Limits) -> None:
        self._hub = hub
        self._rates = rates
        self._limits = limits

    def take(self, change: Change) -> None:
        """Publish one row; a row that cannot be sent is logged and dropped, the stream goes on."""
        if change.operation is not Operation.INSERT or change.new is None:
            return
        row = dict(zip((column.name for column in change.relation.columns), change.new, strict=True))
        topic, event, row_id = _text(row["topic"]), _text(row["event"]), _text(row["id"])
        private, content = _text(row["private"]), _content(row)
        if topic is None or event is None or private is None or content is None:
            return
        refusal = self._rates.refusal(1) or ("Payload size exceeds tenant limit" if self._too_big(content) else None)
        if refusal:
            _log.error("UnableToBroadcastChanges", topic=topic, reason=refusal)
            return
        self._rates.events.add()
        message = UserFanout(f"realtime:{topic}", event, *content, message_id=row_id)
        try:
            self._hub.publish(private == "t", topic, message)
        except ValueError as error:
            _log.error("UnableToBroadcastChanges", topic=topic, reason=str(error))

    def _too_big(self, content: tuple[bytes, Encoding]) -> bool:
        payload, encoding = content
        limit_kb = self._limits.max_payload_size_kb
        if len(payload) * 2 < limit_kb * 1000:
            return False
        value = json_text.decode(payload) if encoding is Encoding.JSON else payload
        return payload_size.exceeds(value, len(payload), limit_kb)


def _text(value: Value) -> str | None:
    return value if isinstance(value, str) else None


def _content(row: dict[str, Value]) -> tuple[bytes, Encoding] | None:
    binary, payload = _text(row.get("binary_payload")), _text(row["payload"])
    if binary is not None:
        return bytes.fromhex(binary.removeprefix("\\x")), Encoding.RAW
    return None if payload is None else (payload.encode(), Encoding.JSON)
