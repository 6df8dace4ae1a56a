"""The embedded file store over HTTP: what its signed URLs lead to. Whoever has one needs no key."""

from collections.abc import Iterator
from functools import partial

from flask import Response, request, send_file

from gateway.domain.attachments import LARGEST_BYTES
from gateway.errors import Conflict, NotFound, PayloadTooLarge
from gateway.http.routes import Proof, Route
from gateway.process.transfers import Transfers
from gateway.storage.directory import PATH, AlreadyUploaded, DirectoryStore, Ticket, TicketInvalid, TooLarge

CHUNK_BYTES = 65_536
NO_SUCH = "The URL is not valid, or no longer; ask for a new one."


def put_file(files: DirectoryStore, transfers: Transfers, ticket: str) -> Response:
    """Answer as Supabase Storage does: the path that was stored."""
    allowed = _open(files, ticket, "put")
    try:
        with transfers.moving(_owner(allowed)):
            files.put(allowed, _chunks())
    except AlreadyUploaded:
        raise Conflict("The file is there already; announce another one.") from None
    except TooLarge:
        raise PayloadTooLarge(f"Send the {allowed.size_bytes} bytes that were announced.") from None
    return Response('{"Key": "attachments"}', content_type="application/json")


def get_file(files: DirectoryStore, transfers: Transfers, ticket: str) -> Response:
    allowed = _open(files, ticket, "get")
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


def _open(files: DirectoryStore, text: str, verb: str) -> Ticket:
    try:
        return files.open_ticket(text, verb)
    except TicketInvalid:
        raise NotFound(NO_SUCH) from None


def _owner(ticket: Ticket) -> str:
    """The account: keys are `<account>/<attachment>`."""
    return ticket.key.partition("/")[0]


def _chunks() -> Iterator[bytes]:
    while chunk := request.stream.read(CHUNK_BYTES):
        yield chunk
