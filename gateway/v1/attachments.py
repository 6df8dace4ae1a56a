"""`/attachments`: announce a file, put it to the signed URL, confirm it. Parse, call the service, render."""

from functools import partial
from uuid import UUID

from flask import Response

from gateway.database import Database
from gateway.domain.attachments import NewAttachment
from gateway.domain.conflicts import AttachmentNotUploaded
from gateway.errors import AttachmentRejected, NotConfigured
from gateway.http import rendering
from gateway.http.routes import Route
from gateway.services import attachments as service
from gateway.settings import Settings
from gateway.storage.base import UPLOAD_TTL_S, FileStore
from gateway.v1.paths import PREFIX
from gateway.v1.schemas import answers
from gateway.v1.schemas.attachments import CreateAttachment

ATTACHMENTS = f"{PREFIX}/attachments"
ATTACHMENT = f"{ATTACHMENTS}/<uuid:attachment_id>"
OFF = "Ask the operator to configure a file store (CROSSFADE_STORAGE)."


def create_attachment(
    database: Database, files: FileStore | None, settings: Settings, account_id: UUID, body: CreateAttachment
) -> Response:
    """Announce a file. Then put the bytes to `upload.url`, confirm, and send a message with the id."""
    attachment, upload = service.create(database, _on(files), account_id, body.into(NewAttachment))
    url, expires_at = _absolute(settings, upload.url), service.ends_at(UPLOAD_TTL_S)
    how = rendering.shown(upload, answers.Upload, url=url, expires_at=expires_at)
    said = rendering.shown(attachment, answers.NewAttachment, upload=how)
    return rendering.one(said, {"Location": f"{ATTACHMENTS}/{attachment.id}"})


def confirm_attachment(database: Database, files: FileStore | None, account_id: UUID, attachment_id: UUID) -> Response:
    """Confirm an upload. The type is told from the bytes, not from the name."""
    attachment = service.confirm(database, _on(files), account_id, attachment_id)
    return rendering.one(rendering.shown(attachment, answers.AttachmentState))


def get_attachment(
    database: Database, files: FileStore | None, settings: Settings, account_id: UUID, attachment_id: UUID
) -> Response:
    """Get a file's state and URL."""
    attachment, url = service.get(database, _on(files), account_id, attachment_id)
    ends_at = service.ends_at(service.DOWNLOAD_TTL_S)
    download = {"url": _absolute(settings, url), "expiresAt": ends_at} if url else None
    return rendering.one(rendering.shown(attachment, answers.ShownAttachment, download=download))


_route = partial(Route, area="attachments", tag="Attachments", calls_out=True)  # the file store
ROUTES = (
    _route(
        "POST",
        ATTACHMENTS,
        create_attachment,
        status=201,
        answer=answers.NewAttachment,
        example={"fileName": "invoice.pdf", "contentType": "application/pdf", "sizeBytes": 52311},
        problems=(NotConfigured,),
        follows={"attachment_id": "id"},
    ),
    _route(
        "POST",
        f"{ATTACHMENT}/confirm",
        confirm_attachment,
        answer=answers.AttachmentState,
        problems=(AttachmentNotUploaded, AttachmentRejected, NotConfigured),
    ),
    _route("GET", ATTACHMENT, get_attachment, answer=answers.ShownAttachment, problems=(NotConfigured,)),
)


def _on(files: FileStore | None) -> FileStore:
    if files is None:
        raise NotConfigured(OFF)
    return files


def _absolute(settings: Settings, url: str) -> str:
    """The embedded store's URLs are paths of this gateway, wherever it is, whatever Host a caller names."""
    return settings.public_url + url if url.startswith("/") else url
