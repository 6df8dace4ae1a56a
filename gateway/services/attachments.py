"""Files that go with messages. Announced here, uploaded to the store by the client, then confirmed from their bytes.

No call to the store happens within a transaction.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from gateway.database import Connection, Database
from gateway.domain.attachments import HEAD_BYTES, Attachment, AttachmentState, NewAttachment, check_bytes
from gateway.domain.conflicts import AttachmentNotUploaded, AttachmentTaken
from gateway.domain.messages import MessageType
from gateway.errors import AttachmentRejected, FieldError, ValidationFailed, there
from gateway.storage.base import FileStore, Upload
from gateway.store import attachments as store
from gateway.store import messages
from realtime_bridge.event_log.append import NewMessage

NO_SUCH = "There is no such attachment."
DOWNLOAD_TTL_S = 3_600  # long enough to play a film, short enough to paste nowhere


def create(database: Database, files: FileStore, account_id: UUID, new: NewAttachment) -> tuple[Attachment, Upload]:
    """Note a file that is to come; return where to put it."""
    attachment_id = uuid4()
    key = f"{account_id}/{attachment_id}"
    upload = files.create_upload(key, new.content_type, new.size_bytes)
    with database.connection() as connection:
        return store.create(connection, account_id, attachment_id, key, new), upload


def confirm(database: Database, files: FileStore, account_id: UUID, attachment_id: UUID) -> Attachment:
    """Look at the uploaded bytes: ready to be sent, or rejected for good. A second call answers as the first."""
    with database.connection() as connection:
        known = there(store.find(connection, account_id, attachment_id), NO_SUCH)
    if known.state == AttachmentState.PENDING:
        known = _look(database, files, account_id, known)
    if known.state == AttachmentState.REJECTED:
        raise AttachmentRejected(f"Announce it again as what it is; this is not {known.content_type} of its size.")
    return known


def _look(database: Database, files: FileStore, account_id: UUID, known: Attachment) -> Attachment:
    stored = files.find(known.storage_key, HEAD_BYTES)
    if stored is None:
        raise AttachmentNotUploaded("Upload the file first, then confirm it.")
    size_bytes, head = stored
    fits = size_bytes == known.size_bytes and check_bytes(known.content_type, head)
    if not fits:
        files.reject(known.storage_key, known.content_type)
    with database.connection() as connection:
        store.settle(connection, known.id, AttachmentState.READY if fits else AttachmentState.REJECTED)
        return there(store.find(connection, account_id, known.id), NO_SUCH)


def get(database: Database, files: FileStore, account_id: UUID, attachment_id: UUID) -> tuple[Attachment, str | None]:
    """Return the attachment, and a URL to read it for a while once it is ready."""
    with database.connection() as connection:
        known = there(store.find(connection, account_id, attachment_id), NO_SUCH)
    if known.state != AttachmentState.READY:
        return known, None
    return known, files.download_url(known.storage_key, known.file_name, known.content_type, DOWNLOAD_TTL_S)


def ends_at(seconds: int) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def find_sendable(
    connection: Connection, account_id: UUID, conversation_id: int, new: NewMessage
) -> Sequence[Attachment]:
    """Return a message's attachments in its order, locked; raise for one that cannot go with it.

    A message that was sent before has its attachments already, and the clientMessageId will say so.
    """
    known = store.lock_all(connection, account_id, new.attachment_ids)
    sent_before = messages.find_first_answer(connection, account_id, conversation_id, new) is not None
    faults = []
    for index, attachment_id in enumerate(new.attachment_ids):
        attachment = known.get(attachment_id)
        pointer = f"/attachmentIds/{index}"
        if attachment is None:
            detail = "Send the id of an attachment of yours."
            faults.append(FieldError(pointer=pointer, code="unknown_attachment", detail=detail))
        elif attachment.state != AttachmentState.READY:
            faults.append(FieldError(pointer=pointer, code="not_confirmed", detail="Confirm the upload first."))
        elif new.message_type is not None and not attachment.fits(MessageType(new.message_type)):
            detail = f"Leave messageType out for {attachment.content_type}, or send document, which takes every file."
            faults.append(FieldError(pointer="/messageType", code="conflicting", detail=detail))
        elif attachment.message_id is not None and not sent_before:
            raise AttachmentTaken("Upload the file again for another message.")
    if faults:
        raise ValidationFailed(*faults)
    return [known[attachment_id] for attachment_id in new.attachment_ids]
