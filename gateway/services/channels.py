"""Channels of one account: each function is one transaction. Secrets go in sealed and are never shown again."""

from collections.abc import Mapping
from secrets import token_urlsafe
from typing import Any
from uuid import UUID, uuid4

from psycopg.errors import UniqueViolation

from gateway.database import Database
from gateway.domain.channels import Channel
from gateway.domain.conflicts import ChannelNameTaken, TooManyChannels
from gateway.errors import FieldError, NotConfigured, NotFound, ValidationFailed, there
from gateway.store import channels as store
from realtime_bridge.shared.secrets import SecretBox
from realtime_bridge.wuzapi.channels import hmac_context, token_context

NO_SUCH = "There is no such channel."
MAX_CHANNELS = 50  # an account: each is a server that may answer slowly, and a hook that anybody may call
HMAC_KEY_BYTES = 32  # 43 characters; WUZAPI asks for at least 32


class Channels:
    """`servers` are those that the operator lists; without `secrets` no channel can be made."""

    def __init__(self, database: Database, secrets: SecretBox | None, servers: frozenset[str]) -> None:
        self._database = database
        self._secrets = secrets
        self._servers = servers

    def create_channel(self, account_id: UUID, settings: Mapping[str, Any]) -> tuple[Channel, str]:
        """Store a channel; return it with its HMAC key, which is made when none is given."""
        channel_id, hmac_key = uuid4(), settings["hmac_key"] or token_urlsafe(HMAC_KEY_BYTES)
        columns = self._columns(channel_id, {**settings, "hmac_key": hmac_key})
        with self._database.connection() as connection, connection.transaction():
            if store.lock_and_count(connection, account_id) >= MAX_CHANNELS:
                raise TooManyChannels(f"An account has at most {MAX_CHANNELS} channels: delete one first.")
            try:
                channel = store.insert(connection, account_id, channel_id, columns)
            except UniqueViolation:
                raise ChannelNameTaken("Choose another name, or change the channel that has this one.") from None
        return channel, hmac_key

    def get_channel(self, account_id: UUID, channel_id: UUID) -> Channel:
        with self._database.connection() as connection:
            return there(next(iter(store.list_some(connection, account_id, channel_id)), None), NO_SUCH)

    def list_channels(self, account_id: UUID) -> list[Channel]:
        with self._database.connection() as connection:
            return store.list_some(connection, account_id)

    def change_channel(self, account_id: UUID, channel_id: UUID, changes: Mapping[str, Any]) -> Channel:
        """Change what is given, and not None; a changed channel is tried again at once."""
        columns = self._columns(channel_id, changes)
        with self._database.connection() as connection:
            return there(store.update(connection, account_id, channel_id, columns), NO_SUCH)

    def delete_channel(self, account_id: UUID, channel_id: UUID) -> None:
        """Remove a channel; its conversations stay, and nothing more is sent or taken in."""
        with self._database.connection() as connection:
            if not store.delete(connection, account_id, channel_id):
                raise NotFound(NO_SUCH)

    def _columns(self, channel_id: UUID, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return settings, by their names, as they are stored: on a server of the list, and with sealed secrets."""
        if (url := settings.get("base_url")) is not None and url not in self._servers:
            detail = "Name a WUZAPI server that the operator of this deployment has listed."
            raise ValidationFailed(FieldError(pointer="/baseUrl", code="server_not_listed", detail=detail))
        others = {name: value for name, value in settings.items() if name not in ("token", "hmac_key")}
        token = self._seal(settings.get("token"), token_context(channel_id))
        hmac_key = self._seal(settings.get("hmac_key"), hmac_context(channel_id))
        return others | {"sealed_token": token, "sealed_hmac_key": hmac_key}

    def _seal(self, secret: str | None, context: str) -> bytes | None:
        if secret is None:
            return None
        if self._secrets is None:
            raise NotConfigured("Ask the operator to set CROSSFADE_SECRETS_KEY; channels need it.")
        return self._secrets.seal(secret.encode(), context)
