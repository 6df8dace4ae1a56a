"""`If-Match` (RFC 9110 §13.1.1), checked where the row is locked, so that nothing changes between check and change."""

from dataclasses import dataclass

from gateway.errors import PreconditionFailed

ANY = "*"


@dataclass(frozen=True, slots=True)
class IfMatch:
    """The ETags that a request accepts; none at all means that it does not care."""

    accepted: tuple[str, ...] = ()

    def check(self, etag: str) -> None:
        """Raise PreconditionFailed unless `etag` is accepted. Strong comparison: a weak ETag never matches."""
        if self.accepted and ANY not in self.accepted and etag not in self.accepted:
            raise PreconditionFailed(etag)
