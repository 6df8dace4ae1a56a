"""`Link: <…>; rel="next"` (RFC 8288) on every page that has a next one, made from its `pagination`."""

from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from flask import Flask, Response, g, request

Parameter = Callable[[Mapping[str, str]], str]


class LinkGate:
    """`parameters` tells, by view and query as it was sent, which parameter takes the cursor; else it is `cursor`."""

    def __init__(self, parameters: Mapping[str, Parameter]) -> None:
        self._parameters = parameters

    def install(self, app: Flask) -> None:
        app.after_request(self._link)

    def _link(self, response: Response) -> Response:
        cursor = g.get("pagination", {}).get("nextCursor")
        if cursor is None:
            return response
        query = request.args.to_dict()
        choose = self._parameters.get(request.endpoint or "")
        query.pop("page", None)
        query[choose(query) if choose else "cursor"] = str(cursor)
        response.headers.add("Link", f'<{request.path}?{urlencode(query)}>; rel="next"')
        return response
