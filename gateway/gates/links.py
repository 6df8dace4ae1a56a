"""`Link: <…>; rel="next"` (RFC 8288) on every page with a next one. Made from its `pagination`."""

from urllib.parse import urlencode

from flask import Flask, Response, g, request


class LinkGate:
    def install(self, app: Flask) -> None:
        app.after_request(self._link)

    def _link(self, response: Response) -> Response:
        cursor = g.get("pagination", {}).get("nextCursor")
        if cursor is None:
            return response
        query = request.args.to_dict()
        query.pop("page", None)
        query[g.next_as] = str(cursor)
        response.headers.add("Link", f'<{request.path}?{urlencode(query)}>; rel="next"')
        return response
