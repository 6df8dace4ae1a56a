"""What answers about webhooks hold, field by field. Like answers.py: made in SQL, and tests compare."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from gateway.openapi.answers import Answer, Id
from gateway.webhook_domain import DeliveryState
from realtime_bridge.webhooks.health import Health, NoticeType
from realtime_bridge.webhooks.outcomes import Outcome

Milliseconds = Annotated[float | None, Field(ge=0)]


class Webhook(Answer):
    id: Id
    url: str
    description: str | None
    event_types: list[str]
    header_names: Annotated[list[str], Field(description="Their values may be secrets, and are never shown.")]
    max_in_flight: int
    max_per_second: int | None
    fifo: bool
    compatibility_signature: bool
    paused: bool
    health: Health
    consecutive_failures: int
    failing_since: datetime | None
    rests_until: Annotated[datetime | None, Field(description="Nothing is sent before, because of earlier answers.")]
    last_success_at: datetime | None
    last_failure_at: datetime | None
    last_error: str | None
    disabled_at: datetime | None
    disabled_reason: str | None
    created_at: datetime
    updated_at: datetime


class NewWebhook(Webhook):
    secret: Annotated[str, Field(description="What requests are signed with. The only time it is shown.")]


class WebhookSecret(Answer):
    id: Id
    hint: Annotated[str, Field(description="Its last characters.")]
    created_at: datetime
    expires_at: Annotated[datetime | None, Field(description="It signs along until then.")]


class NewWebhookSecret(WebhookSecret):
    secret: Annotated[str, Field(description="The only time it is shown.")]


class Delivery(Answer):
    id: Id
    webhook_id: Id
    event_id: UUID
    type: str
    seq: Annotated[int | None, Field(description="Place in the log; null for what is not in it, such as a ping.")]
    conversation_id: int | None
    conversation_seq: int | None
    state: DeliveryState
    attempts: Annotated[int, Field(ge=0)]
    next_attempt_at: datetime | None
    event_at: datetime
    created_at: datetime
    settled_at: datetime | None


class AttemptTiming(Answer):
    dns_ms: Milliseconds
    connect_ms: Milliseconds
    first_byte_ms: Milliseconds
    total_ms: Annotated[float, Field(ge=0)]


class AttemptAnswer(Answer):
    headers: dict[str, Any] | None
    body: Annotated[str | None, Field(description="The first 16 KB of it.")]


class Attempt(Answer):
    id: Id
    webhook_id: Id
    delivery_id: Id
    event_id: UUID
    type: str
    number: Annotated[int, Field(ge=1)]
    replay: bool
    started_at: datetime
    outcome: Outcome
    status: int | None
    error: str | None
    timing: AttemptTiming
    response: AttemptAnswer | None
    secret_ids: list[int]


class DeliveryWithAttempts(Delivery):
    attempt_log: Annotated[list[Attempt], Field(description="The latest 50, oldest first.")]


class WebhookNotice(Answer):
    id: Id
    webhook_id: Id
    event_id: UUID
    type: NoticeType
    reason: str
    created_at: datetime


class EventKind(Answer):
    type: str
    description: str
    json_schema: Annotated[
        dict[str, Any], Field(alias="schema", description="JSON Schema (2020-12) of the request's body.")
    ]
    example: Annotated[dict[str, Any], Field(description="One `data`.")]


class Recovered(Answer):
    failed: Annotated[int, Field(ge=0, description="Deliveries that had failed and are tried again.")]
    missing: Annotated[int, Field(ge=0, description="Events that had never been queued for this endpoint.")]
    has_more: Annotated[bool, Field(description="Ask again: one call takes up to 10,000 of each.")]


class Retried(Answer):
    retried: Annotated[int, Field(ge=0, description="Deliveries that were waiting and are due now.")]
    has_more: Annotated[bool, Field(description="Ask again: one call takes up to 10,000.")]
