"""Fields of which the schemas of requests are made.

Strict, in camelCase, and told in our own words when they do not fit.
"""

import json
import re
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from gateway.domain.messages import MessageType

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Domain = TypeVar("Domain", bound="DataclassInstance")
MAX_CONTENT_BYTES = 4_096  # also a check constraint; keeps a broadcast well below Supabase's payload limit
MAX_METADATA_BYTES = 4_096  # also of the domain crossfade.metadata, which measures numbers written out
MAX_METADATA_DEPTH = 8
MAX_BIGINT = 2**63 - 1
MIN_BIGINT = -(2**63)
VISIBLE = r"[^\s\x1c-\x1f\x85]"  # somewhere in it: what `not_blank` wants, for readers of the schema
MAX_PAGE = 1_000  # pages are for compatibility and cost what they skip; cursors go on for ever


def not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "Write something other than white space.")
    return text


def _content(text: str) -> str:
    size = len(text.encode())
    if size > MAX_CONTENT_BYTES:
        words = {"max": MAX_CONTENT_BYTES, "size": size, "kind": "UTF-8"}
        raise PydanticCustomError("too_many_bytes", "{size} bytes", words)
    return text


def _metadata(value: dict[str, Any]) -> dict[str, Any]:
    if _depth(value) > MAX_METADATA_DEPTH:
        raise PydanticCustomError("too_deep", "Nest at most {max} levels.", {"max": MAX_METADATA_DEPTH})
    size = len(json.dumps(value, ensure_ascii=False).encode())  # at least; the database is spared the obvious
    if size > MAX_METADATA_BYTES:
        words = {"max": MAX_METADATA_BYTES, "size": size, "kind": "JSON, with numbers written out"}
        raise PydanticCustomError("too_many_bytes", "{size} bytes", words)
    return value


def _depth(value: object) -> int:
    """Levels of objects and arrays, counted without recursion and no further than one past the limit."""
    level, depth = [value], 0
    while depth <= MAX_METADATA_DEPTH:
        nested = [node for node in level if isinstance(node, dict | list)]
        if not nested:
            break
        depth += 1
        level = [child for node in nested for child in (node.values() if isinstance(node, dict) else node)]
    return depth


def _digits(value: object) -> object:
    """Query strings hold text: only plain digits are a number there."""
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) <= 19):  # noqa: PLR2004 digits of a bigint
            raise PydanticCustomError("not_a_number", "Send a whole number in plain digits.")
        return int(value)
    return value


def _whole(value: object) -> object:
    """To JSON, 3.0 is the number 3 (RFC 8259 §6), and to JSON Schema a whole one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _signed_digits(value: object) -> object:
    if isinstance(value, str) and value.startswith("-"):
        digits = _digits(value[1:])
        return -digits if isinstance(digits, int) else digits
    return _digits(value)


def _yes_or_no(value: object) -> object:
    words = {"true": True, "false": False}
    if isinstance(value, str) and value not in words:
        raise PydanticCustomError("not_allowed", "Send true or false.")
    return words[value] if isinstance(value, str) else value


FIRST_YEAR = 1970
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")


def _moment(value: object) -> object:
    """RFC 3339 with its offset, from 1970 on: one spelling, and no guess at a time zone."""
    if not isinstance(value, str):
        raise PydanticCustomError("wrong_type", "Send a time as text.")
    try:
        moment = datetime.fromisoformat(value if _MOMENT.fullmatch(value) else "")
        if moment.year >= FIRST_YEAR:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise PydanticCustomError("not_a_time", "Send a time such as 2026-11-20T10:30:00Z.") from None
    raise PydanticCustomError("out_of_range", "Send a time from {year} on.", {"year": FIRST_YEAR})


def _hyphenated(value: object) -> object:
    """One spelling for ids: Python's UUID would also take braces, URNs and no hyphens."""
    if isinstance(value, str) and (len(value) != 36 or value.count("-") != 4):  # noqa: PLR2004 RFC 9562 §4
        raise PydanticCustomError("not_a_uuid", "Send a UUID such as 2f1c8a9e-3b4d-4c5e-8f60-718293a4b5c6.")
    return value


Uuid = Annotated[UUID, Field(strict=False), BeforeValidator(_hyphenated)]
Word = Field(strict=False)  # JSON has no enums: their text is what is sent
Whole = BeforeValidator(_whole)
Number = BeforeValidator(_digits)
YesOrNo = BeforeValidator(_yes_or_no)
Seq = BeforeValidator(_signed_digits)
Moment = Annotated[datetime, BeforeValidator(_moment)]
Limit = Annotated[int, Field(ge=1, le=100, description="How many to answer at most."), Number]
Cursor = Annotated[
    str,
    Field(min_length=1, max_length=100, description="The `nextCursor` of the page before, with the same filters."),
]
Content = Annotated[str, AfterValidator(_content), Field(json_schema_extra={"maxLength": MAX_CONTENT_BYTES})]
Metadata = Annotated[dict[str, Any], AfterValidator(_metadata)]
Text255 = Annotated[
    str,
    Field(min_length=1, max_length=255, json_schema_extra={"pattern": VISIBLE}),
    AfterValidator(not_blank),
]
ChannelName = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]
Text128 = Annotated[str, Field(min_length=1, max_length=128)]


class Sent(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def into(self, kind: type[Domain], **others: object) -> Domain:
        """Return the domain's own value of this kind, which has the same fields, and these others."""
        return kind(**{one.name: getattr(self, one.name) for one in fields(kind) if one.name not in others}, **others)


class Query(Sent):
    """A query string."""


class Body(Sent):
    model_config = ConfigDict(strict=True, alias_generator=to_camel)


def _of_changes(schema: dict[str, Any]) -> None:
    schema["minProperties"] = 1
    for field in schema["properties"].values():
        field.pop("default", None)  # never used: what is left out stays


class Changes(Body):
    """At least one field; what is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra=_of_changes)

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("empty", "Name at least one field to change.")
        return self

    def named(self) -> dict[str, Any]:
        """Return what is to change, by the fields' names."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class MessageBody(Body):
    """What every message may have. The first design called `messageType` `type`: either name is taken."""

    client_message_id: Text128 | None = None
    sender_id: Text255 | None = None
    reply_to_id: Annotated[int, Field(ge=1, le=MAX_BIGINT), Whole] | None = None
    metadata: Metadata = Field(default_factory=dict)
    message_type: Annotated[MessageType, Word] = MessageType.TEXT
    type: Annotated[Annotated[MessageType, Word] | None, Field(description="Another name for `messageType`.")] = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.type is not None and "message_type" in self.model_fields_set and self.type is not self.message_type:
            raise PydanticCustomError("conflicting", "Send messageType or type, not two different ones.")
        return self

    def named(self) -> dict[str, Any]:
        """Return the fields as a NewMessage has them."""
        metadata = json.dumps(self.metadata, allow_nan=False)
        named = dict(self) | {"message_type": self.type or self.message_type, "metadata": metadata}
        del named["type"]
        return named
