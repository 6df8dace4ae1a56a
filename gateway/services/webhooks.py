"""Webhook endpoints of one account: each function is one transaction."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import Any
from uuid import UUID, uuid4

from gateway.database import Connection, Database
from gateway.domain.conflicts import EnabledTooSoon, LastSecret, TooManySecrets, TooManyWebhooks, WebhookDisabled
from gateway.errors import FieldError, NotFound, ValidationFailed, WebhooksNotConfigured, there
from gateway.shapes import catalogue
from gateway.store import webhook_deliveries
from gateway.store import webhooks as store
from realtime_bridge.shared.content_html import with_html
from realtime_bridge.shared.secrets import SecretBox
from realtime_bridge.webhooks.contract import signing
from realtime_bridge.webhooks.contract.health import ENABLE_COOLDOWN
from realtime_bridge.webhooks.contract.signing import secrets_context
from realtime_bridge.webhooks.contract.urls import UrlPolicy, UrlRefused

NO_SUCH = "There is no such webhook."
MAX_WEBHOOKS = 50  # an account: each event costs a request for each of them
MAX_LIVE_SECRETS = 5  # each signs every request
HINT_CHARS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """What making and changing endpoints needs: the box for their secrets, and which URLs they may have."""

    box: SecretBox | None
    urls: UrlPolicy

    def seal(self, account_id: UUID, secret: bytes) -> bytes:
        if self.box is None:
            raise WebhooksNotConfigured("The operator has to set CROSSFADE_SECRETS_KEY first.")
        return self.box.seal(secret, secrets_context(account_id))

    def columns(self, account_id: UUID, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return settings, by their names, as they are stored: the headers, which may hold tokens, are sealed."""
        if "url" in settings:
            self._check(settings["url"])
        if (headers := settings.get("headers")) is None:
            return dict(settings)
        sealed = self.seal(account_id, json.dumps(headers).encode()) if headers else None
        others = {name: value for name, value in settings.items() if name != "headers"}
        return others | {"headers_sealed": sealed, "header_names": sorted(headers)}

    def _check(self, url: str) -> None:
        try:
            self.urls.check(url)
        except UrlRefused as error:
            raise ValidationFailed(FieldError(pointer="/url", code="url_refused", detail=str(error))) from None


def create_webhook(
    database: Database, sealing: Sealing, account_id: UUID, settings: Mapping[str, Any], secret: str | None
) -> tuple[int, str, str]:
    """Store an endpoint with a secret, one of ours if none is given, and queue a ping.

    Return its id, its representation and the secret's text.
    """
    columns = sealing.columns(account_id, settings)
    secret = secret or signing.new_secret()
    sealed = sealing.seal(account_id, signing.key_of(secret))
    with database.connection() as connection, connection.transaction():
        if store.lock_and_count(connection, account_id) >= MAX_WEBHOOKS:
            raise TooManyWebhooks(f"An account has at most {MAX_WEBHOOKS} webhooks: delete one first.")
        webhook_id, shown = store.insert_webhook(connection, account_id, columns)
        store.insert_secret(connection, webhook_id, sealed, secret[-HINT_CHARS:])
        _append_ping(connection, account_id, webhook_id)
    return webhook_id, shown, secret


def list_webhooks(database: Database, account_id: UUID) -> list[str]:
    with database.connection() as connection:
        return store.list_some(connection, account_id)


def get_webhook(database: Database, account_id: UUID, webhook_id: int) -> str:
    with database.connection() as connection:
        return _show(connection, account_id, webhook_id)


def change_webhook(
    database: Database, sealing: Sealing, account_id: UUID, webhook_id: int, changes: Mapping[str, Any]
) -> str:
    """Change the settings that are named; the others stay."""
    columns = sealing.columns(account_id, changes)
    with database.connection() as connection, connection.transaction():
        store.write_settings(connection, webhook_id, _lock(connection, account_id, webhook_id) | columns)
        return _show(connection, account_id, webhook_id)


def delete_webhook(database: Database, account_id: UUID, webhook_id: int) -> None:
    with database.connection() as connection:
        if not store.delete_webhook(connection, account_id, webhook_id):
            raise NotFound(NO_SUCH)


def pause(database: Database, account_id: UUID, webhook_id: int, *, paused: bool) -> str:
    """While paused, deliveries are kept; on resuming they go out."""
    with database.connection() as connection, connection.transaction():
        _lock(connection, account_id, webhook_id)
        store.write_paused(connection, webhook_id, paused=paused)
        webhook_deliveries.announce(connection, webhook_id)
        return _show(connection, account_id, webhook_id)


def enable(database: Database, account_id: UUID, webhook_id: int) -> str:
    """Send to a disabled endpoint again. Of one that is not disabled, nothing is changed: its failures still count."""
    with database.connection() as connection, connection.transaction():
        _lock(connection, account_id, webhook_id)
        queue = store.lock_queue(connection, webhook_id)
        if queue.health == "disabled":
            _check_cooldown(queue)
            store.enable(connection, webhook_id)
            webhook_deliveries.announce(connection, webhook_id)
        return _show(connection, account_id, webhook_id)


def rotate_secret(
    database: Database, sealing: Sealing, account_id: UUID, webhook_id: int, secret: str | None, overlap_s: int
) -> tuple[str, str]:
    """Add a secret; the ones before sign along for the overlap. Return the new one's representation and text."""
    secret = secret or signing.new_secret()
    sealed = sealing.seal(account_id, signing.key_of(secret))
    with database.connection() as connection, connection.transaction():
        _lock(connection, account_id, webhook_id)
        store.expire_secrets(connection, webhook_id, overlap_s)
        if len(store.find_live_secrets(connection, webhook_id)) >= MAX_LIVE_SECRETS:
            raise TooManySecrets(f"At most {MAX_LIVE_SECRETS} secrets are live at once: delete one first.")
        return store.insert_secret(connection, webhook_id, sealed, secret[-HINT_CHARS:]), secret


def list_secrets(database: Database, account_id: UUID, webhook_id: int) -> list[str]:
    with looking(database, account_id, webhook_id) as connection:
        return store.list_secrets(connection, account_id, webhook_id)


def delete_secret(database: Database, account_id: UUID, webhook_id: int, secret_id: int) -> None:
    with database.connection() as connection, connection.transaction():
        _lock(connection, account_id, webhook_id)
        live = store.find_live_secrets(connection, webhook_id)
        if secret_id not in live:
            raise NotFound("There is no such secret.")
        if len(live) == 1:
            raise LastSecret("Rotate it instead: a webhook without a secret could not sign.")
        store.delete_secret(connection, webhook_id, secret_id)


def list_notices(database: Database, account_id: UUID, webhook_id: int) -> list[str]:
    with looking(database, account_id, webhook_id) as connection:
        return store.list_notices(connection, account_id, webhook_id)


def ping(database: Database, account_id: UUID, webhook_id: int) -> str:
    with enabled(database, account_id, webhook_id) as connection:
        return _append_ping(connection, account_id, webhook_id)


def send_test(database: Database, account_id: UUID, webhook_id: int, type_: str, *, wants_html: bool) -> str:
    """Queue the catalogue's example of an event type, whatever the endpoint subscribes to."""
    kind = catalogue.BY_TYPE[type_]
    event_id = uuid4()
    example = kind.example | ({"eventId": str(event_id)} if "eventId" in kind.example else {})
    shown = with_html(example) if wants_html else example
    with enabled(database, account_id, webhook_id) as connection:
        return webhook_deliveries.append(connection, account_id, webhook_id, event_id, type_, shown)


def _append_ping(connection: Connection, account_id: UUID, webhook_id: int) -> str:
    example = catalogue.BY_TYPE[catalogue.PING].example | {"webhookId": webhook_id}
    return webhook_deliveries.append(connection, account_id, webhook_id, uuid4(), catalogue.PING, example)


def _check_cooldown(queue: store.Queue) -> None:
    if queue.enabled_for_s is None:
        return
    left_s = ENABLE_COOLDOWN.total_seconds() - queue.enabled_for_s
    if left_s > 0:
        wait_s = str(ceil(left_s))
        raise EnabledTooSoon(f"Repair the receiver, then try again in {wait_s} s.", headers={"Retry-After": wait_s})


def _lock(connection: Connection, account_id: UUID, webhook_id: int) -> dict[str, Any]:
    return there(store.lock_settings(connection, account_id, webhook_id), NO_SUCH)


@contextmanager
def enabled(database: Database, account_id: UUID, webhook_id: int) -> Iterator[Connection]:
    """Hold the endpoint's lock for the block, a transaction. Raises NotFound, WebhookDisabled."""
    with database.connection() as connection, connection.transaction():
        _lock(connection, account_id, webhook_id)
        if store.lock_queue(connection, webhook_id).health == "disabled":
            raise WebhookDisabled(f"Enable the webhook first: POST /api/v1/chat/webhooks/{webhook_id}/enable.")
        yield connection


@contextmanager
def looking(database: Database, account_id: UUID, webhook_id: int) -> Iterator[Connection]:
    """Lend a connection to read what belongs to the endpoint. Raises NotFound."""
    with database.connection() as connection:
        _show(connection, account_id, webhook_id)
        yield connection


def _show(connection: Connection, account_id: UUID, webhook_id: int) -> str:
    """Return the endpoint's representation. Raises NotFound."""
    return there(next(iter(store.list_some(connection, account_id, webhook_id)), None), NO_SUCH)
