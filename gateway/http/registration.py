"""Registration of routes with Flask. A view is given what its parameters name.

By kind, what the app made: a Database, the settings. By name, what the request says: the path's parts, `query` and
`body` as the models they are annotated with, `precondition` (If-Match) and `account_id`, the key's. A view whose
parameters name no `query` takes none: whatever is sent is refused.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from flask import Flask, Response, g

from gateway.http.idempotency import Idempotency
from gateway.http.if_match import read_if_match
from gateway.http.routes import Proof, Route, RouteRule, View, parameters
from gateway.http.validation import NoQuery, read_body, read_query


def register(app: Flask, routes: Iterable[Route], given: Mapping[Any, object], once: Idempotency) -> None:
    """Raise TypeError for a view that asks for something that nobody gives, or leaves a part of its path out."""
    app.url_rule_class = RouteRule
    for route in routes:
        view = _reading(route, given)
        if route.method == "POST" and route.proof is Proof.KEY:
            view = once.wrap(view, calls_out=route.calls_out)
        if route.before is not None:
            view = _following(_provided(route.before, given), view)
        app.add_url_rule(route.path, route.endpoint, view, methods=[route.method], route=route)


def _reading(route: Route, given: Mapping[Any, object]) -> View:
    """Return the view as Flask calls it. It reads in this order, so the first fault is what a request is told of."""
    view, wanted = _provided(route.view, given), parameters(route.view)
    readers: dict[str, Callable[[], object]] = {
        "query": partial(read_query, wanted.get("query", NoQuery)),
        "precondition": partial(read_if_match, required=route.must_match),
        "body": partial(read_body, wanted.get("body", NoQuery)),
        "account_id": lambda: g.api_key.account_id,
    }
    reads = tuple((name, read) for name, read in readers.items() if name in wanted)
    refuses_any_query = "query" not in wanted and route.proof is Proof.KEY

    def answer(**arguments: Any) -> Response:
        if refuses_any_query:
            read_query(NoQuery)
        for name, read in reads:
            arguments[name] = read()
        response: Response = view(**arguments)
        return response

    if amiss := wanted.keys() ^ {*route.arguments, *view.keywords, *dict(reads)}:
        raise TypeError(f"{route.endpoint}: nobody gives, or takes, {', '.join(sorted(amiss))}")
    return answer


def _provided(function: Callable[..., Any], given: Mapping[Any, object]) -> "partial[Any]":
    return partial(function, **{name: given[kind] for name, kind in parameters(function).items() if kind in given})


def _following(first: Callable[[], None], view: View) -> View:
    def answer(**arguments: Any) -> Response:
        first()
        return view(**arguments)

    return answer
