"""Everything that is described: operations by view, and the requests that we send as webhooks by event type.

A new area adds its module here; tests say which route was forgotten.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from gateway.openapi import accounts, answers, conversations, messages
from gateway.openapi.operation import Operation
from realtime_bridge.events import EventType

OPERATIONS: Mapping[str, Operation] = {
    **conversations.OPERATIONS,
    **messages.OPERATIONS,
    **accounts.OPERATIONS,
}
UNDESCRIBED_BLUEPRINTS = frozenset(
    {"documents", "health", "files", "wuzapi"}  # not for consumers with a key
    | {"realtime_sessions", "webhooks"}  # described in the README
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One kind of request that we send. `schema` is the JSON Schema of its body, or `model` stands for it."""

    summary: str
    model: type[BaseModel] | None = None
    schema: Mapping[str, Any] | None = None


WEBHOOKS: Mapping[str, Sent] = {
    event_type.value: Sent(summary=f"The event {event_type.value}", model=answers.LogEntry) for event_type in EventType
}
