"""Files that may go with a message, by their bytes' type. Pure: no HTTP, no SQL, no storage."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from gateway.domain.messages import MessageType

MIB = 1024 * 1024
HEAD_BYTES = 512  # every mark below lies within it

# What may be sent, and how large: the limits of the messengers at the other end (WhatsApp's, rounded down).
MAX_BYTES: Mapping[str, int] = {
    "image/jpeg": 5 * MIB,
    "image/png": 5 * MIB,
    "image/gif": 5 * MIB,
    "image/webp": 5 * MIB,
    "audio/ogg": 16 * MIB,
    "audio/mpeg": 16 * MIB,
    "audio/mp4": 16 * MIB,
    "audio/wav": 16 * MIB,
    "video/mp4": 16 * MIB,
    "video/webm": 16 * MIB,
    "application/pdf": 25 * MIB,
    "application/zip": 25 * MIB,
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": 25 * MIB,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": 25 * MIB,
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": 25 * MIB,
    "text/plain": 1 * MIB,
    "text/csv": 1 * MIB,
}
LARGEST_BYTES = max(MAX_BYTES.values())
ZIPPED = frozenset(kind for kind in MAX_BYTES if kind == "application/zip" or "openxmlformats" in kind)
PLAIN = frozenset({"text/plain", "text/csv"})


class AttachmentState(StrEnum):
    PENDING = "pending"
    READY = "ready"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAttachment:
    file_name: str
    content_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """One row of `chat_attachments`: announced, then uploaded and confirmed, then part of one message."""

    id: UUID
    file_name: str
    content_type: str
    size_bytes: int
    storage_key: str
    state: AttachmentState
    message_id: int | None
    created_at: datetime

    @property
    def shown(self) -> dict[str, object]:
        """What a message says of it. No URL: signed ones end, and messages do not."""
        return {
            "id": str(self.id),
            "fileName": self.file_name,
            "contentType": self.content_type,
            "sizeBytes": self.size_bytes,
        }

    def fits(self, message_type: MessageType) -> bool:
        """A document may be anything; an image, audio or video message holds what its name says."""
        if message_type is MessageType.TEXT:
            return False
        return message_type is MessageType.DOCUMENT or self.content_type.startswith(f"{message_type}/")


def kind_of(attachments: Sequence[Attachment]) -> MessageType:
    """Return what a message with these files is: an image, audio or video if all of them are, else a document."""
    for kind in (MessageType.IMAGE, MessageType.AUDIO, MessageType.VIDEO):
        if all(attachment.fits(kind) for attachment in attachments):
            return kind
    return MessageType.DOCUMENT


def check_bytes(content_type: str, head: bytes) -> bool:
    """Whether a file that begins with these bytes may be of this type. Names and headers are not asked."""
    if content_type in PLAIN:
        return _is_text(head)
    if content_type in ZIPPED:
        return head.startswith(b"PK\x03\x04")
    return content_type in next((kinds for form, kinds in _FORMS.items() if re.match(form, head, re.DOTALL)), ())


_FORMS: Mapping[bytes, tuple[str, ...]] = {  # the first one that fits
    rb"\xff\xd8\xff": ("image/jpeg",),
    rb"\x89PNG\r\n\x1a\n": ("image/png",),
    rb"GIF8[79]a": ("image/gif",),
    rb"OggS": ("audio/ogg",),
    rb"ID3": ("audio/mpeg",),
    rb"\x1a\x45\xdf\xa3": ("video/webm",),
    rb"%PDF-": ("application/pdf",),
    rb"RIFF.{4}WEBP": ("image/webp",),
    rb"RIFF.{4}WAVE": ("audio/wav",),
    rb".{4}ftypM4A": ("audio/mp4",),
    rb".{4}ftyp": ("audio/mp4", "video/mp4"),  # ISO 14496-12 §4.3: one container for sound and pictures
    rb"\xff[\xe2\xe3\xea\xeb\xf2\xf3\xfa\xfb]": ("audio/mpeg",),  # an MPEG frame's sync, layer III
}


def _is_text(head: bytes) -> bool:
    """UTF-8 without control characters, and nothing that a browser would take for a page or a program."""
    text = head.decode("utf-8", errors="ignore")  # the cut may fall within a character
    whole = len(head) - len(text.encode()) <= 3  # noqa: PLR2004 the rest of one character
    clean = all(character.isprintable() or character in "\t\r\n\f" for character in text)
    return whole and clean and not text.lstrip().lower().startswith(("<!doctype", "<html", "<svg", "<?xml", "<script"))
