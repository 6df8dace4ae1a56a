"""The embedded file store over HTTP: what its signed URLs lead to. Whoever has one needs no key."""

from functools import partial

from flask import Response, request, send_file

from gateway.domain.attachments import LARGEST_BYTES
from gateway.errors import NotFound
from gateway.http.routes import Proof, Route
from gateway.process.transfers import Transfers
from gateway.storage.directory import NO_SUCH, PATH, DirectoryStore, Ticket

CHUNK_BYTES = 65_536


def put_file(files: DirectoryStore, transfers: Transfers, ticket: str) -> Response:
    """Answer as Supabase Storage does: the path that was stored."""
    allowed = files.open_ticket(ticket, "put")
    with transfers.moving(_owner(allowed)):
        files.put(allowed, iter(partial(request.stream.read, CHUNK_BYTES), b""))
    return Response('{"Key": "attachments"}', content_type="application/json")


def get_file(files: DirectoryStore, transfers: Transfers, ticket: str) -> Response:
    allowed = files.open_ticket(ticket, "get")
    path = files.path(allowed.key)
    if not path.exists():
        raise NotFound(NO_SUCH)
    done = transfers.begin(_owner(allowed))
    try:
        answer = send_file(
            path,
            mimetype=allowed.content_type,
            as_attachment=True,
            download_name=allowed.file_name,
            conditional=True,
        )
    except BaseException:
        done()
        raise
    answer.call_on_close(done)
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return answer


_route = partial(Route, area="files", proof=Proof.SIGNATURE)  # the URL itself is the permission, and says for what
ROUTES = (
    _route("PUT", f"{PATH}/<ticket>", put_file, largest_body=LARGEST_BYTES),
    _route("GET", f"{PATH}/<ticket>", get_file),
)


def _owner(ticket: Ticket) -> str:
    """The account: keys are `<account>/<attachment>`."""
    return ticket.key.partition("/")[0]
