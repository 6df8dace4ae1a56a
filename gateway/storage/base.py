"""Contract of a place for files. Two there are: Supabase Storage, and a directory for one machine."""

from dataclasses import dataclass, field
from typing import Protocol

REJECTED = b"rejected"  # what an operator finds in place of a file that was not what it was announced as
UPLOAD_TTL_S = 7_200  # Supabase's own and not to be chosen; the directory does as it does


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """Where and how a client puts the bytes: one request, as Supabase Storage takes it."""

    url: str = field(repr=False)
    headers: dict[str, str]
    method: str = "PUT"


class FileStore(Protocol):
    """Every call is bounded in time and raises ServiceUnavailable when the store does not answer."""

    def create_upload(self, key: str, content_type: str, size_bytes: int) -> Upload:
        """Return where one file of this key may be put, once."""

    def find(self, key: str, head_bytes: int) -> tuple[int, bytes] | None:
        """Return the size and the first bytes of what was put there; None when nothing was."""

    def download_url(self, key: str, file_name: str, content_type: str, ttl_s: int) -> str:
        """Return a URL that shows the file to whoever has it, for so long; always as a download, never as a page."""

    def reject(self, key: str, content_type: str) -> None:
        """Take the bytes away, and leave a word in their place: the URL they came by takes no others."""
