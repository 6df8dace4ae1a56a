"""Schemas of answers about webhooks, field by field. Like answers.py: made in SQL, and tests compare."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from gateway.domain.webhooks import DeliveryState
from gateway.shapes.chat import Answer, Id
from gateway.v1.schemas.answers import LastError
from realtime_bridge.webhooks.contract.health import Health, NoticeType
from realtime_bridge.webhooks.contract.outcomes import Outcome

EventName = Annotated[str, Field(description="The event's type.")]
Milliseconds = Annotated[float | None, Field(ge=0)]


class Webhook(Answer):
    id: Id
    url: str = Field(description="Where events are sent to.")
    description: str | None = Field(description="A note of your own.")
    event_types: list[str] = Field(description="Which events are sent: types, `family.*` or `*`.")
    header_names: list[str] = Field(description="Their values may be secrets, and are never shown.")
    max_in_flight: int = Field(description="Requests at a time.")
    max_per_second: int | None = Field(description="Requests a second; null for as many as come.")
    fifo: bool = Field(
        description="Whether each conversation is sent in order: a failing request holds back those after it."
    )
    compatibility_signature: bool = Field(
        description="Whether requests also have `X-Signature: sha256=…`, of the body alone."
    )
    paused: bool = Field(description="Whether deliveries are kept back.")
    health: Health = Field(description="How its receiver does: healthy, degraded or disabled.")
    consecutive_failures: int = Field(description="How many requests have failed in a row.")
    failing_since: datetime | None = Field(
        description="Since when every request has failed; null when the latest did not."
    )
    rests_until: datetime | None = Field(description="Nothing is sent before, because of earlier answers.")
    last_success_at: datetime | None = Field(description="When a request was last taken.")
    last_failure_at: datetime | None = Field(description="When a request last failed.")
    last_error: LastError
    disabled_at: datetime | None = Field(description="When it was disabled; null while it is not.")
    disabled_reason: str | None = Field(description="Why it was disabled.")
    created_at: datetime
    updated_at: datetime


class NewWebhook(Webhook):
    secret: str = Field(description="What requests are signed with. The only time it is shown.")


class WebhookSecret(Answer):
    id: Id
    hint: str = Field(description="Its last characters.")
    created_at: datetime = Field(description="Since when it signs.")
    expires_at: datetime | None = Field(description="It signs along until then.")


class NewWebhookSecret(WebhookSecret):
    secret: str = Field(description="The only time it is shown.")


class Delivery(Answer):
    id: Id
    webhook_id: Id
    event_id: UUID
    type: EventName
    seq: int | None = Field(description="Place in the log; null for what is not in it, such as a ping.")
    conversation_id: int | None = Field(description="The conversation of the event; null for what belongs to none.")
    conversation_seq: int | None = Field(description="The event's place in its conversation: ascending, without gaps.")
    state: DeliveryState = Field(
        description="Where it stands: `open` while it is to be tried, then delivered or failed."
    )
    attempts: int = Field(ge=0, description="How often it was tried.")
    next_attempt_at: datetime | None = Field(description="When it is tried next; null when it will not be.")
    event_at: datetime = Field(description="When the event was committed.")
    created_at: datetime
    settled_at: datetime | None = Field(description="When it was delivered or given up; null before.")


class AttemptTiming(Answer):
    dns_ms: Milliseconds = Field(description="Looking up the name; null when it was known or not needed.")
    connect_ms: Milliseconds = Field(description="Connecting, with TLS; null on a connection that was open.")
    first_byte_ms: Milliseconds = Field(description="From the request to the first byte of the answer.")
    total_ms: float = Field(ge=0, description="All of it.")


class AttemptAnswer(Answer):
    headers: dict[str, Any] | None = Field(description="The headers of the answer.")
    body: str | None = Field(description="The first 16 KB of it.")


class Attempt(Answer):
    id: Id
    webhook_id: Id
    delivery_id: Id = Field(description="The delivery that was tried.")
    event_id: UUID
    type: EventName
    number: int = Field(ge=1, description="The how-manieth attempt of its delivery it was, from 1.")
    replay: bool = Field(description="Whether somebody had asked for it again.")
    started_at: datetime = Field(description="When it began.")
    outcome: Outcome = Field(description="How it ended.")
    status: int | None = Field(description="The HTTP status of the answer; null when none came.")
    error: str | None = Field(description="What went wrong, in words; null for an answer.")
    timing: AttemptTiming = Field(description="How long each part took.")
    response: AttemptAnswer | None = Field(description="What the receiver answered; null when nothing came.")
    secret_ids: list[int] = Field(description="The secrets that signed it.")


class DeliveryWithAttempts(Delivery):
    attempt_log: list[Attempt] = Field(description="The latest 50, oldest first.")


class WebhookNotice(Answer):
    id: Id
    webhook_id: Id
    event_id: UUID
    type: NoticeType = Field(description="What was noticed.")
    reason: str = Field(description="Why, in a sentence.")
    created_at: datetime = Field(description="When it was noticed.")


class EventKind(Answer):
    type: str = Field(description="The event's type.")
    description: str = Field(description="When it is sent.")
    json_schema: dict[str, Any] = Field(alias="schema", description="JSON Schema (2020-12) of the request's body.")
    example: dict[str, Any] = Field(description="One `data`.")


class Recovered(Answer):
    failed: int = Field(ge=0, description="Deliveries that had failed and are tried again.")
    missing: int = Field(ge=0, description="Events that had never been queued for this endpoint.")
    has_more: bool = Field(description="Ask again: one call takes up to 10,000 of each.")


class Retried(Answer):
    retried: int = Field(ge=0, description="Deliveries that were waiting and are due now.")
    has_more: bool = Field(description="Ask again: one call takes up to 10,000.")
