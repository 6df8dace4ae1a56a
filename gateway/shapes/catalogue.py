"""Catalogue of events that webhooks carry: JSON Schema and example of each. Pure.

Read by the API (`GET /webhooks/event-types`, test events), by OpenAPI under `webhooks`, and by subscribers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from gateway.shapes.chat import EndpointNotice, Greeting, Message, ToldConversation
from realtime_bridge.event_log.event import ALIASES, EventType, Family
from realtime_bridge.webhooks.contract.health import NoticeType

PING = "webhook.ping"
Schema = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One event type. `data` is the schema of the request's `data`, `example` one such object."""

    type: str
    description: str
    data: Schema
    example: dict[str, Any]

    @property
    def family(self) -> str:
        """`message` of `message.new`. All of a family have the same `data`."""
        return self.type.partition(".")[0]

    @property
    def schema(self) -> Schema:
        """JSON Schema (draft 2020-12) of the whole request body."""
        return self.schema_with(self.data)

    def schema_with(self, data: Schema) -> Schema:
        """Return the schema with another one for `data`, such as a reference to it."""
        return {
            "type": "object",
            "required": ["type", "timestamp", "data", "eventId", "seq", "conversationSeq"],
            "properties": {
                "type": {"const": self.type},
                "timestamp": _TIME | {"description": "When the event was committed; the same on every attempt."},
                "data": data,
                "eventId": _UUID | {"description": "Names the event; also the header webhook-id. Drop repeats by it."},
                "seq": _ORDER
                | {"description": "Place in the account's log: ascending, with gaps. Null outside the log."},
                "conversationSeq": _ORDER | {"description": "Place in the conversation: ascending, without gaps."},
            },
        }

    @property
    def request(self) -> dict[str, Any]:
        """An example of the whole request body."""
        return {
            "type": self.type,
            "timestamp": _MOMENT,
            "data": self.example,
            "eventId": _EXAMPLE_ID,
            "seq": 17 if "seq" in self.example else None,
            "conversationSeq": self.example.get("seq"),
        }


_TIME: Schema = {"type": "string", "format": "date-time"}
_UUID: Schema = {"type": "string", "format": "uuid"}
_ORDER: Schema = {"type": ["integer", "null"], "minimum": 0}
_MOMENT = "2026-11-20T10:00:00.000000Z"
_EXAMPLE_ID = "2f1c8a9e-3b4d-4c5e-8f60-718293a4b5c6"
_UNSAID = {"$defs", "title", "additionalProperties"}  # events grow: whoever checks them has to bear fields to come


def _data_of(model: type[BaseModel]) -> Schema:
    """Return a model's schema by itself: without references, and open to fields to come."""
    schema = model.model_json_schema(mode="serialization")

    def opened(node: Any) -> Any:
        if isinstance(node, list):
            return [opened(one) for one in node]
        if not isinstance(node, dict):
            return node
        named = schema["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else {}
        return {word: opened(value) for word, value in (named | node).items() if word not in {*_UNSAID, "$ref"}}

    found: Schema = opened(schema)
    return found


def _example_of(schema: Schema) -> Any:
    """Return what a field says for itself, or what its type suggests."""
    if "examples" in schema:
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    kinds = {
        "object": {name: _example_of(schema["properties"][name]) for name in schema.get("required", [])},
        "array": [],
        "integer": schema.get("minimum", 1),
        "string": {"uuid": _EXAMPLE_ID, "date-time": _MOMENT}.get(schema.get("format", "")),
    }
    return kinds.get(schema.get("type", ""))  # none for what may be null


_ALIAS = (
    "Another name for `message.new` of the direction {}: sent to webhooks that subscribe to it and not to"
    " `message.new`, with the same data."
)
_NOTICES: Mapping[NoticeType, str] = {
    NoticeType.DEGRADED: "Another endpoint of the account fails; it is probed one request at a time.",
    NoticeType.FAILING: "Another endpoint has failed for a day, or for three.",
    NoticeType.DISABLED: "Another endpoint was disabled: it is gone, or failed for five days.",
    NoticeType.RECOVERED: "Another endpoint accepts deliveries again.",
}


def _kind(type_: str, description: str, model: type[BaseModel], **example: Any) -> Kind:
    data = _data_of(model)
    return Kind(type=str(type_), description=description, data=data, example=_example_of(data) | example)


_MODELS: Mapping[Family, type[BaseModel]] = {Family.MESSAGE: Message, Family.CONVERSATION: ToldConversation}
KINDS: tuple[Kind, ...] = (
    *(_kind(t, t.words, _MODELS[t.family]) for t in EventType),
    *(_kind(t, _ALIAS.format(d), Message, direction=d) for t, d in ALIASES.items()),
    *(_kind(t, d, EndpointNotice) for t, d in _NOTICES.items()),
    _kind(PING, "Sent to every new endpoint, and on request. Not part of any subscription.", Greeting),
)
BY_TYPE: Mapping[str, Kind] = {kind.type: kind for kind in KINDS}
SUBSCRIBABLE: tuple[str, ...] = tuple(kind.type for kind in KINDS if kind.type != PING)
# Whatever selects anything: types, `family.*` and `*`.
PATTERNS: tuple[str, ...] = ("*", *dict.fromkeys(f"{one.split('.')[0]}.*" for one in SUBSCRIBABLE), *SUBSCRIBABLE)
