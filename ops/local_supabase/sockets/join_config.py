"""Payload of phx_join, read. Wrong leaf values are ignored, a config of the wrong shape refuses the join."""

import json
import uuid
import zlib
from dataclasses import dataclass
from typing import Any

from ops.local_supabase.access.refusals import JoinRefusedError

LATEST_MS = 253_402_300_799_999  # the end of the year 9999, which is as far as Elixir's calendar reaches
MOST_REPLAYED = 25  # Supabase's limit per request
_NO_MATCH = "UnknownErrorOnChannel: no function clause matching in Access.get/3"
_BAD_REPLAY = "UnableToReplayMessages: Replay params are not valid"
_PUBLIC_REPLAY = "UnableToReplayMessages: Replay is not allowed for public channels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Replay messages since a moment (milliseconds since 1970), the newest `limit` of them."""

    since_ms: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinConfig:
    """What a client asks for when it joins."""

    private: bool
    ack: bool
    own: bool
    replication_ready: bool
    presence_enabled: bool
    presence_key: str
    replay: Replay | None
    bindings: tuple[dict[str, Any], ...]
    legacy: bool  # no `config`: the channel name says what changes to send, and they come under their own event
    token: str | None

    def bindings_with_ids(self) -> list[dict[str, Any]]:
        """The bindings as the join reply repeats them: same keys, same order, plus `id`."""
        return [{**binding, "id": binding_id(binding)} for binding in self.bindings]


def binding_id(binding: dict[str, Any]) -> int:
    """Same binding, same id, on every channel and connection."""
    return zlib.crc32(json.dumps(binding, sort_keys=True).encode()) & 0x7FFFFFF


def read(payload: Any, name: str) -> JoinConfig:
    """Read the payload for a channel of that name; raises JoinRefusedError."""
    if not isinstance(payload, dict):
        given = json.dumps(payload, default=repr)
        raise JoinRefusedError(f"UnknownErrorOnChannel: expected params to be a :map, got: `{given}`")
    config = _mapping(payload.get("config"))
    broadcast = _mapping(config.get("broadcast"))
    presence = config.get("presence")
    presence = presence if isinstance(presence, dict) else {}
    private = _boolean(config.get("private"))
    legacy = "config" not in payload
    tokens = payload.get("access_token"), payload.get("user_token")
    return JoinConfig(
        private=private,
        ack=_boolean(broadcast.get("ack")),
        own=_boolean(broadcast.get("self")),
        replication_ready=_boolean(broadcast.get("replication_ready")),
        presence_enabled=_boolean(presence.get("enabled")),
        presence_key=_presence_key(presence.get("key")),
        replay=_replay(broadcast, private=private),
        bindings=_legacy_bindings(name) if legacy else _bindings(config.get("postgres_changes")),
        legacy=legacy,
        token=next((token for token in tokens if isinstance(token, str)), None),
    )


def _mapping(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise JoinRefusedError(_NO_MATCH)
    return value


def _boolean(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _presence_key(value: Any) -> str:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return str(uuid.uuid1())


def _replay(broadcast: dict[str, Any], *, private: bool) -> Replay | None:
    if "replay" not in broadcast:
        return None
    if not private:
        raise JoinRefusedError(_PUBLIC_REPLAY)
    value = broadcast["replay"]
    if not isinstance(value, dict):
        return None
    if not _is_integer(value.get("since")) or value["since"] > LATEST_MS:
        raise JoinRefusedError(_BAD_REPLAY)
    limit = value.get("limit")
    if limit is not None and not _is_integer(limit):
        raise JoinRefusedError(_BAD_REPLAY)
    return Replay(since_ms=value["since"], limit=MOST_REPLAYED if limit is None else min(max(limit, 1), MOST_REPLAYED))


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _bindings(value: Any) -> tuple[dict[str, Any], ...]:
    if not isinstance(value, list):
        return ()
    entries = [entry for entry in value if entry is not None]
    if any(not isinstance(entry, dict) for entry in entries):
        raise JoinRefusedError("UnknownErrorOnChannel: expected a map")
    return tuple(entries)


def _legacy_bindings(name: str) -> tuple[dict[str, Any], ...]:
    parts = name.split(":", 2)
    return (dict(zip(("schema", "table", "filter"), parts, strict=False)),)
