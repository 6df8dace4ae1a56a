"""`ETag` on what is read, and 304 for who has it already. Views that know a version set a strong tag themselves."""

import hashlib
from http import HTTPStatus

from flask import Response, request

from gateway.http.routes import READING, current


def tag(response: Response) -> Response:
    route = current()
    if route is None or route.live or route.method not in READING or response.status_code != HTTPStatus.OK:
        return response
    if response.mimetype != "application/json" or "Cache-Control" in response.headers:
        return response
    if "ETag" not in response.headers:  # weak: equal content, whatever its bytes on the way
        response.set_etag(hashlib.blake2b(response.get_data(), digest_size=12).hexdigest(), weak=True)
    response.headers["Cache-Control"] = "private, no-cache"  # may be kept by its reader, to be asked about again
    if request.if_none_match.contains_weak(response.get_etag()[0] or ""):
        response.status_code = HTTPStatus.NOT_MODIFIED
        response.set_data(b"")
        del response.headers["Content-Type"]
        del response.headers["Content-Length"]
    return response
