"""One route as the description of the API tells of it. Pure; the catalogue is made of these."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from gateway.errors import ProblemError
from gateway.v1.schemas.fields import NoQuery

Example = Mapping[str, Any]
REF = "#/components/schemas/{model}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`query` and `body` are the very models that the view reads its request with (a test compares).

    `answer` is what `data` holds (a list of them when `is_list`), a model or the name of a component; None for an
    answer without a body. `problems` are
    those beyond what any route of its kind may answer. `follows` are links: operation and where its path parameter is.
    `mentions` are models that a description speaks of.
    `as_lines` answers are not wrapped: they hold one `answer` a line (application/x-ndjson).
    """

    summary: str
    tag: str
    answer: type[BaseModel] | str | None
    status: int = 200
    is_list: bool = False
    as_lines: bool = False
    query: type[BaseModel] = NoQuery
    body: type[BaseModel] | None = None
    example: Example | None = None
    problems: tuple[type[ProblemError], ...] = ()
    mentions: tuple[type[BaseModel], ...] = ()
    if_match: str = ""  # "optional" or "required"
    description: str = ""
    follows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def from_body(**parameters: str) -> dict[str, str]:
    """Return where the next operation finds its path parameters in this one's answer."""
    return {name: f"$response.body#/data/{pointer}" for name, pointer in parameters.items()}
