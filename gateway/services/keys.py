"""Keys of one account, managed by one of them that holds `keys:manage`."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gateway.database import Connection, Database
from gateway.domain import key_text
from gateway.domain.conflicts import KeyNotActive, TooManyKeys
from gateway.domain.key_text import KeyText
from gateway.domain.keys import ApiKey, NewKey
from gateway.errors import FieldError, NotFound, ScopeNotHeld, ValidationFailed, there
from gateway.settings import Settings
from gateway.store import keys as store

MAX_ACTIVE = 100  # more than any deployment of a backend needs; each is re-read twice a second while it is used
NO_SUCH = "There is no such API key."


class Keys:
    """Of the settings: the word in the text of new keys, and the limits of keys that have none of their own."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    def create(self, caller: ApiKey, new: NewKey) -> tuple[KeyText, ApiKey]:
        """Return the new key's text, which exists nowhere else, and its row."""
        _check_scopes(caller, new.scopes)
        if new.expires_at is not None and new.expires_at <= datetime.now(UTC):
            detail = "Send a time in the future."
            raise ValidationFailed(FieldError(pointer="/expiresAt", code="in_the_past", detail=detail))
        new = self._granted(caller, new)
        text = key_text.mint(self._settings.env)
        with self._database.connection() as connection, connection.transaction():
            ends = _ends(_lock_caller(connection, caller), new.expires_at)
            if store.count_active(connection, caller.account_id) >= MAX_ACTIVE:
                raise TooManyKeys(f"Revoke a key first; an account has at most {MAX_ACTIVE} that work.")
            return text, store.insert(connection, text, caller.account_id, replace(new, expires_at=ends))

    def list_keys(self, caller: ApiKey, *, limit: int, after: str | None) -> tuple[list[ApiKey], bool]:
        """Return a page, newest first, those that no longer work as well; and whether there are more."""
        with self._database.connection() as connection:
            found = store.list_some(connection, caller.account_id, after=after, fetch=limit + 1)
        return found[:limit], len(found) > limit

    def get_key(self, caller: ApiKey, key_id: str) -> ApiKey:
        with self._database.connection() as connection:
            key = store.find(connection, key_id)
        if key is None or key.account_id != caller.account_id:
            raise NotFound(NO_SUCH)
        return key

    def revoke(self, caller: ApiKey, key_id: str) -> ApiKey:
        """Stop a key for good, in every worker within a second; again changes nothing."""
        self.get_key(caller, key_id)
        with self._database.connection() as connection:
            return there(store.revoke(connection, key_id), NO_SUCH)

    def rotate(self, caller: ApiKey, key_id: str, overlap: timedelta) -> tuple[KeyText, ApiKey, ApiKey]:
        """Make a key like this one, which ends after `overlap`; return the new text, the new row and the old one.

        It lives as long as the old one was to live, but no longer than the calling key: a key does not renew itself.
        """
        with self._database.connection() as connection, connection.transaction():
            asking = _lock_caller(connection, caller)
            old = there(store.lock(connection, caller.account_id, key_id), NO_SUCH)
            now = datetime.now(UTC)
            lifetime_ends = now + (old.expires_at - old.created_at) if old.expires_at else None
            like_it = NewKey(
                name=old.name,
                scopes=old.scopes,
                rate_limit=old.rate_limit,
                send_rate_limit=old.send_rate_limit,
                expires_at=_earlier(lifetime_ends, asking.expires_at),
            )
            _check_scopes(caller, old.scopes)
            if not _works(old, now):
                raise KeyNotActive("Rotate a key that works and was not rotated before, or create a new one.")
            text = key_text.mint(old.env)
            new = store.insert(connection, text, caller.account_id, self._granted(caller, like_it))
            return text, new, store.replace(connection, key_id, new.id, now + overlap)

    def _granted(self, caller: ApiKey, wanted: NewKey) -> NewKey:
        """Return what is wanted within the caller's limits: nobody raises their own by making another key."""
        requests, sends = self._settings.rate_limit_per_min, self._settings.send_limit_per_min
        return replace(
            wanted,
            rate_limit=_at_most(caller.rate_limit, wanted.rate_limit, requests, "/rateLimit"),
            send_rate_limit=_at_most(caller.send_rate_limit, wanted.send_rate_limit, sends, "/sendRateLimit"),
        )


def _works(key: ApiKey, now: datetime) -> bool:
    return key.revoked_at is None and key.replaced_by is None and not key.has_expired(now)


def _lock_caller(connection: Connection, caller: ApiKey) -> ApiKey:
    """Return the calling key as it is now, alone in its account. Who is on the way out makes no successors."""
    store.lock_account(connection, caller.account_id)
    asking = store.lock(connection, caller.account_id, caller.id)
    if asking is None or not _works(asking, datetime.now(UTC)):
        raise KeyNotActive("Use another key; the calling one is being replaced, or works no longer.")
    return asking


def _ends(asking: ApiKey, wanted: datetime | None) -> datetime | None:
    """Nobody makes a key that outlives their own."""
    if asking.expires_at is not None and wanted is not None and wanted > asking.expires_at:
        detail = f"Send at most {asking.expires_at.astimezone(UTC).isoformat()}, when the calling key ends."
        raise ValidationFailed(FieldError(pointer="/expiresAt", code="out_of_range", detail=detail))
    return _earlier(wanted, asking.expires_at)


def _earlier(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _at_most(own: int | None, wanted: int | None, default: int, pointer: str) -> int | None:
    most = own or default
    if (wanted or default) > most and wanted is None:
        return most  # a key with less than the default makes keys with no more than it has
    if wanted is not None and wanted > most:
        detail = f"Send at most {most}, the limit of the calling key."
        raise ValidationFailed(FieldError(pointer=pointer, code="out_of_range", detail=detail))
    return wanted


def _check_scopes(caller: ApiKey, scopes: Sequence[str]) -> None:
    missing = [scope for scope in scopes if scope not in caller.scopes]
    if missing:
        raise ScopeNotHeld(f"Use a key that itself has {', '.join(missing)}.")
