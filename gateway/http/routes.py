"""Routes: views with what registration, gates and document ask of them."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any

from flask import Response, request
from pydantic import BaseModel
from werkzeug.routing import Rule

from gateway.domain.keys import Scope
from gateway.errors import ProblemError

READING = frozenset({"GET", "HEAD"})
ARGUMENT = re.compile(r"<(?:(\w+):)?(\w+)>")

View = Callable[..., Response]


class Proof(Enum):
    """What a request has to show before anything is done for it."""

    KEY = "an API key"
    SIGNATURE = "a signature, of the URL or of the body, which the view checks"
    NOTHING = "nothing: probes, and the description of the API for those who have no key yet"


class Limit(StrEnum):
    """What counts beside every request, by the names that the answers' headers have."""

    SEND = "send"
    NEW_KEYS = "new-keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecation:
    """`since` may lie in the future; `sunset`, when the route stops working, never lies before it. Both in UTC."""

    since: datetime
    sunset: datetime | None = None
    successor: str | None = None
    notes: str | None = None

    def __post_init__(self) -> None:
        if self.sunset is not None and self.sunset < self.since:
            raise ValueError("a route cannot stop working before it is deprecated")


@dataclass(frozen=True, slots=True)
class Route:
    """A view says by its parameters what it reads (see `registration`), by its docstring what the document tells.

    `answer` is what `data` holds (a list of them when `is_list`), a model or the name of a component; None for an
    answer without a body. `as_lines` answers are not wrapped: they hold one `answer` a line. `problems` are those
    beyond what any route of its kind may answer, `mentions` models that the description speaks of. `follows` tells
    where the answer (or the request, with `$`) holds the path parameters of the routes that may come next.
    """

    method: str
    path: str
    view: View
    _: KW_ONLY
    area: str
    tag: str = ""
    name: str = ""  # the view's own, if not said
    answer: type[BaseModel] | str | None = None
    status: int = 200
    is_list: bool = False
    as_lines: bool = False
    example: Mapping[str, Any] | None = None
    problems: tuple[type[ProblemError], ...] = ()
    mentions: tuple[type[BaseModel], ...] = ()
    follows: Mapping[str, str] = field(default_factory=dict)
    deprecated: Deprecation | None = None
    proof: Proof = Proof.KEY
    own_scope: Scope | None = None
    limit: Limit | None = None
    largest_body: int | None = None  # in bytes; the deployment's, if not said
    must_match: bool = False  # a change without If-Match is refused
    live: bool = False  # answers are of the moment: a tag would be of no use to anybody
    calls_out: bool = False  # calls somebody over the network: no transaction may be open meanwhile
    before: Callable[..., None] | None = None  # what is done outside of any transaction

    @property
    def endpoint(self) -> str:
        """The name in Flask and, as `operationId`, in the document."""
        return f"{self.area}.{self.name or self.view.__name__}"

    @property
    def scope(self) -> Scope:
        """What a key must hold; by method, so that a new route cannot forget it."""
        return self.own_scope or (Scope.READ if self.method in READING else Scope.WRITE)

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names in its path."""
        return tuple(name for _, name in ARGUMENT.findall(self.path))

    @property
    def query(self) -> type[BaseModel] | None:
        return parameters(self.view).get("query")

    @property
    def body(self) -> type[BaseModel] | None:
        return parameters(self.view).get("body")

    @property
    def if_match(self) -> bool:
        return "precondition" in parameters(self.view)

    @property
    def summary(self) -> str:
        """The docstring's first sentence."""
        return _said(self.view)[0].removesuffix(".")

    @property
    def description(self) -> str:
        """The docstring's other sentences."""
        return "".join(_said(self.view)[1:])


class RouteRule(Rule):
    """A URL rule that knows its record: nothing can be registered without one."""

    def __init__(self, *arguments: Any, route: Route, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.route = route


def current() -> Route | None:
    """Return the route of the request; None for a path or a method that there is not."""
    rule = request.url_rule
    return rule.route if isinstance(rule, RouteRule) else None


def _said(view: View) -> list[str]:
    """Return the docstring in one or two parts, each paragraph on one line."""
    paragraphs = (inspect.getdoc(view) or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs).split(". ", 1)


def parameters(function: Callable[..., object]) -> dict[str, Any]:
    """Return what a view asks for: the kind of each of its parameters, by name."""
    return {name: one.annotation for name, one in inspect.signature(function).parameters.items()}
