"""Settings that an account has chosen. Plain frozen values."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class UserScope(StrEnum):
    """Whom accounts may name: `crossfade users scope`."""

    LISTED = "listed"
    EVERYBODY = "everybody"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """`content_html`: whether content goes out with its safe form. `updated_at` is None for who never chose."""

    id: UUID
    content_html: bool
    updated_at: datetime | None
