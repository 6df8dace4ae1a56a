"""`If-Match` (RFC 9110 §13.1.1), checked where the row is locked. So nothing changes between check and change."""

from dataclasses import dataclass

from gateway.errors import PreconditionFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A representation as JSON text, and the strong ETag of the row behind it."""

    representation: str
    etag: str


HTML = "-html"


def with_html(etag: str) -> str:
    """Return the tag of what is shown with its safe form: other bytes, so another strong tag (RFC 9110 §8.8.1)."""
    return f'{etag[:-1]}{HTML}"'


def version_of(tag: str) -> str:
    """Return the ETag of the version that an opaque tag names, in whichever form it was seen."""
    return f'"{tag.removesuffix(HTML)}"'


ANY = "*"


@dataclass(frozen=True, slots=True)
class IfMatch:
    """The ETags that a request accepts; none at all means that it does not care."""

    accepted: tuple[str, ...] = ()

    def check(self, etag: str) -> None:
        """Raise PreconditionFailed unless `etag` is accepted. Strong comparison: a weak ETag never matches."""
        if self.accepted and ANY not in self.accepted and etag not in self.accepted:
            raise PreconditionFailed(etag)
