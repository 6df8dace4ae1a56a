"""`/attachments`: announce a file, put it to the signed URL, confirm it. Parse, call the service, render."""

import json
from uuid import UUID

from flask import Blueprint, Response, g

from gateway.database import Database
from gateway.domain.attachments import Attachment
from gateway.errors import NotConfigured
from gateway.http import rendering
from gateway.http.validation import read_body, read_query
from gateway.services import attachments as service
from gateway.storage.base import UPLOAD_TTL_S, FileStore
from gateway.v1.paths import PREFIX
from gateway.v1.schemas.attachments import CreateAttachment
from gateway.v1.schemas.fields import NoQuery

ATTACHMENT = "/attachments/<uuid:attachment_id>"
OFF = "Ask the operator to configure a file store (CROSSFADE_STORAGE)."


def blueprint(database: Database, files: FileStore | None, public_url: str) -> Blueprint:
    """The embedded store's URLs are paths of this gateway, which is at `public_url`, whatever Host a caller names."""

    def absolute(url: str) -> str:
        return public_url + url if url.startswith("/") else url

    routes = Blueprint("attachments", __name__, url_prefix=PREFIX)

    def create_attachment() -> Response:
        read_query(NoQuery)
        new = read_body(CreateAttachment).to_domain()
        attachment, upload = service.create(database, _on(files), g.api_key.account_id, new)
        how = {
            "method": upload.method,
            "url": absolute(upload.url),
            "headers": upload.headers,
            "expiresAt": service.ends_at(UPLOAD_TTL_S),
        }
        shown = _shown(attachment) | {"upload": how}
        location = f"{PREFIX}/attachments/{attachment.id}"
        return rendering.one(json.dumps(shown), status=201, headers={"Location": location})

    def confirm_attachment(attachment_id: UUID) -> Response:
        read_query(NoQuery)
        return rendering.one(
            json.dumps(_shown(service.confirm(database, _on(files), g.api_key.account_id, attachment_id)))
        )

    def get_attachment(attachment_id: UUID) -> Response:
        read_query(NoQuery)
        attachment, url = service.get(database, _on(files), g.api_key.account_id, attachment_id)
        ends_at = service.ends_at(service.DOWNLOAD_TTL_S)
        download = {"url": absolute(url), "expiresAt": ends_at} if url else None
        return rendering.one(json.dumps(_shown(attachment) | {"download": download}))

    routes.add_url_rule("/attachments", view_func=create_attachment, methods=["POST"])
    routes.add_url_rule(f"{ATTACHMENT}/confirm", view_func=confirm_attachment, methods=["POST"])
    routes.add_url_rule(ATTACHMENT, view_func=get_attachment, methods=["GET"])
    return routes


def _on(files: FileStore | None) -> FileStore:
    if files is None:
        raise NotConfigured(OFF)
    return files


def _shown(attachment: Attachment) -> dict[str, object]:
    return attachment.shown | {
        "state": attachment.state,
        "messageId": attachment.message_id,
        "createdAt": attachment.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
