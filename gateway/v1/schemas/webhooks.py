"""Schemas for making, changing and recovering webhooks: camelCase, strict. Used by the views only."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from gateway.domain.webhooks import AttemptFilter, DeliveryState, Recovery
from gateway.shapes import catalogue
from gateway.v1.schemas.fields import Body, Changes, Cursor, Limit, Moment, Query, Whole
from realtime_bridge.webhooks.contract import signing
from realtime_bridge.webhooks.contract.outcomes import Outcome

MAX_HEADERS = 20
MAX_HEADER_VALUE_CHARS = 1_024
MAX_PATTERNS = 50
MAX_OVERLAP_S = 7 * 86_400
DEFAULT_OVERLAP_S = 86_400  # a day: long enough for a deployment of the receiver
MAX_RANGE = timedelta(days=31)
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}", re.ASCII)
_VALUE = f"^[!-~]([ -~]{{0,{MAX_HEADER_VALUE_CHARS - 2}}}[!-~])?$"
OURS = (  # what a request means or how it travels is not for the endpoint to say
    "host", "content-", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer", "proxy-", "expect",
    "accept-encoding", "user-agent", "cookie", "webhook-", "x-signature", "sec-", "x-forwarded-", "forwarded", "via",
)  # fmt: skip


def _pattern(word: str) -> str:
    if word not in catalogue.PATTERNS:
        detail = "There is no such event type; GET /webhooks/event-types lists them. `message.*` and `*` are patterns."
        raise PydanticCustomError("event_type_unknown", detail)
    return word


def _type(word: str) -> str:
    if word not in catalogue.BY_TYPE:
        raise PydanticCustomError("event_type_unknown", "There is no such event type.")
    return word


def _secret(text: str) -> str:
    try:
        signing.key_of(text)
    except signing.MalformedSecret as error:
        raise PydanticCustomError("secret_malformed", "{why}", {"why": str(error)}) from None
    return text


def _headers(headers: dict[str, str]) -> dict[str, str]:
    if len({name.lower() for name in headers}) != len(headers):
        raise PydanticCustomError("duplicate", "Name each header once.")
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise PydanticCustomError("header_malformed", "A header's name is letters, digits and dashes.")
        lower = name.lower()
        if any(lower.startswith(one) if one.endswith("-") else lower == one for one in OURS):
            raise PydanticCustomError("header_refused", "{name} is not a header that you may set.", {"name": name})
        if not re.fullmatch(_VALUE, value):
            raise PydanticCustomError(
                "header_malformed", "A header's value is printable ASCII in one line, 1 to 1024 characters."
            )
    return headers


Url = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2_048),
    Field(description="`https://`, with a public host.", json_schema_extra={"format": "uri"}),
]
_DIGIT = "[A-Za-z0-9+/]"  # of base64; below, 24 to 64 bytes of it
_SECRET_FORM = (
    f"^whsec_(({_DIGIT}{{4}}){{8,21}}|({_DIGIT}{{4}}){{8,20}}{_DIGIT}{{3}}=|({_DIGIT}{{4}}){{8,21}}{_DIGIT}{{2}}==)$"
)
Type = Annotated[str, AfterValidator(_type), Field(json_schema_extra={"enum": list(catalogue.BY_TYPE)})]
OfType = Annotated[Type, Field(description="Only of this type of event.")]
Since = Annotated[Moment, Field(description="Not older than this moment.")]
Until = Annotated[Moment, Field(description="Older than this moment.")]
Pattern = Annotated[str, AfterValidator(_pattern), Field(json_schema_extra={"enum": list(catalogue.PATTERNS)})]
Patterns = Annotated[
    list[Pattern],
    Field(min_length=1, max_length=MAX_PATTERNS, description="What is sent; left out at first, all."),
    AfterValidator(lambda words: [*dict.fromkeys(words)]),
]
Headers = Annotated[
    dict[str, Annotated[str, Field(json_schema_extra={"pattern": _VALUE})]],
    Field(max_length=MAX_HEADERS, description="Sent along, such as a token of yours; stored sealed, never shown."),
    AfterValidator(_headers),
]
Secret = Annotated[
    str,
    StringConstraints(max_length=200),
    AfterValidator(_secret),
    Field(
        description="Of your choice: `whsec_` and 24 to 64 bytes in base64. Left out, we make one.",
        json_schema_extra={"pattern": _SECRET_FORM},
    ),
]
PerSecond = Annotated[int, Field(ge=1, le=1_000, description="Requests a second; null for as many as come."), Whole]


class WebhookFields(Body):
    url: Url
    event_types: Patterns = Field(default_factory=lambda: ["*"])
    description: Annotated[str | None, Field(max_length=500, description="A note of your own.")] = None
    headers: Headers = Field(default_factory=dict, repr=False)
    max_in_flight: Annotated[int, Field(ge=1, le=100, description="Requests at a time."), Whole] = 10
    max_per_second: PerSecond | None = None
    fifo: bool = Field(
        default=False, description="Each conversation in order: a failing request holds back those after it."
    )
    compatibility_signature: bool = Field(default=False, description="Adds `X-Signature: sha256=…`, of the body alone.")


class CreateWebhook(WebhookFields):
    secret: Secret | None = Field(None, repr=False)

    def named(self) -> dict[str, Any]:
        return self.model_dump(exclude={"secret"})


class ChangeWebhook(WebhookFields, Changes):
    """What is left out stays; `description` and `maxPerSecond` may be null."""

    url: Url = ""


class RotateSecret(Body):
    secret: Secret | None = Field(None, repr=False)
    overlap_seconds: Annotated[int, Field(ge=0, le=MAX_OVERLAP_S), Whole] = DEFAULT_OVERLAP_S


class SendTest(Body):
    type: Annotated[Type, Field(description="Of which type the example is.")] = "message.new"


class Recover(Body):
    """Events from `since` on and before `until` (now when left out), at most 31 days."""

    since: Moment = Field(description="From this moment on.")
    until: Moment | None = None
    types: list[Pattern] = Field(max_length=MAX_PATTERNS, default_factory=list)

    @model_validator(mode="after")
    def _check_range(self) -> "Recover":
        until = self.until or datetime.now(UTC)
        if not timedelta(0) < until - self.since <= MAX_RANGE:
            raise PydanticCustomError("range_invalid", "`until` lies after `since`, by at most 31 days.")
        return self

    def to_domain(self) -> Recovery:
        until = self.until or datetime.now(UTC) + timedelta(minutes=1)  # clocks of gateway and database may differ
        return Recovery(since=self.since, until=until, types=tuple(self.types))


class ListDeliveries(Query):
    state: Annotated[DeliveryState | None, Field(description="Only deliveries that stand so.")] = None
    type: OfType | None = None
    since: Since | None = None
    until: Until | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class FilterAttempts(Query):
    outcome: Annotated[Outcome | None, Field(description="Only attempts that ended so.")] = None
    type: OfType | None = None
    since: Since | None = None
    until: Until | None = None

    def to_domain(self) -> AttemptFilter:
        return self.into(AttemptFilter, outcome=self.outcome.value if self.outcome else None)


class ListAttempts(FilterAttempts):
    limit: Limit = 50
    cursor: Cursor | None = None
