"""Schemas for making and rotating API keys. Used by the views and by the description of the API."""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from gateway.domain.keys import Scope
from gateway.v1.schemas.fields import Body, Limit, Moment, Query, Text255, Whole, Word

MAX_PER_MIN = 100_000  # the window of a limit is a list of that length in Redis
MAX_OVERLAP_S = 30 * 86_400  # a month is enough to redeploy anything
DEFAULT_OVERLAP_S = 86_400


def _unique(scopes: list[Scope]) -> list[Scope]:
    if len(set(scopes)) != len(scopes):
        raise PydanticCustomError("duplicate", "Name each scope once.")
    return scopes


PerMinute = Annotated[int, Field(ge=1, le=MAX_PER_MIN), Whole]


class CreateKey(Body):
    name: Text255 = Field(description="What people call it.")
    scopes: Annotated[
        list[Annotated[Scope, Word]],
        Field(min_length=1, json_schema_extra={"uniqueItems": True}, description="Of those that the calling key has."),
        AfterValidator(_unique),
    ]
    rate_limit: Annotated[PerMinute | None, Field(description="Requests per minute; at most the calling key's.")] = None
    send_rate_limit: Annotated[PerMinute | None, Field(description="Messages per minute.")] = None
    expires_at: Annotated[
        Moment | None,
        Field(description="In the future, and no later than the calling key; left out, with it or never."),
    ] = None


class RotateKey(Body):
    overlap_seconds: Annotated[
        int, Field(ge=0, le=MAX_OVERLAP_S, description="How long the old key works beside the new one."), Whole
    ] = DEFAULT_OVERLAP_S


class ListKeys(Query):
    limit: Limit = 50
    cursor: str | None = Field(
        default=None, pattern=r"^[0-9A-Za-z]{1,32}$", description="The `nextCursor` of the page before."
    )
