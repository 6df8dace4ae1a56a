"""Typing and presence: never stored, gone in seconds. What is said here reaches the sides through the bridge.

`publish_unstored` puts a sign on Postgres's channel `chat_ephemeral`; bridges that listen pass it on to their legacy
room and to Supabase's `presence:{id}`. Who is present is what the bridges keep in Redis.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID, uuid4

import redis
import structlog

from gateway.database import Database
from realtime_bridge.shared import sql

CHANNEL = "chat_ephemeral"
EXPIRES_S = 8  # a reader that hears nothing more takes the sign away by itself
INTERVAL_MS = 1_000  # one sign a second for each user and conversation
PRESENCE_KEY = "crossfade.presence:{}"  # a sorted set of `<user>|<holder>`, scored by when the lease ends

_SQL = sql.Queries(__file__)
_log = structlog.get_logger(__name__)


class Ephemeral:
    """`client` gives the limits' own connection to Redis when it is needed. Without Redis nothing is limited."""

    def __init__(self, database: Database, client: Callable[[], "redis.Redis"], on_failure: Callable[[], None]) -> None:
        self._database = database
        self._client = client
        self._on_failure = on_failure

    def take_typing(self, conversation_id: int, user_id: UUID, *, is_typing: bool) -> bool:
        """Whether this sign may be told; a stop always, and it lets the next start through."""
        key = f"crossfade.typing:{conversation_id}:{user_id}"
        try:
            if not is_typing:
                self._client().delete(key)
                return True
            return bool(self._client().set(key, 1, nx=True, px=INTERVAL_MS))
        except redis.RedisError as error:
            self._on_failure()
            _log.warning("typing_not_limited", error=type(error).__name__)
            return True

    def publish_unstored(
        self, conversation_id: int, user_id: UUID, username: str | None, *, is_typing: bool, origin: str = "api"
    ) -> None:
        """Tell the bridges. Skips the log: a sign that is lost is lost."""
        now = datetime.now(UTC)
        sign = {
            "type": "presence.typing",
            "conversationId": conversation_id,
            "userId": str(user_id),
            "username": username,
            "isTyping": is_typing,
            "lastSeen": _text(now),
            "origin": origin,
            "hop": 0,
            "eventId": str(uuid4()),
            "expiresAt": _text(now + timedelta(seconds=EXPIRES_S)),
        }
        with self._database.connection() as connection:
            _SQL.run(connection, "publish_unstored", channel=CHANNEL, sign=json.dumps(sign))

    def list_present(self, conversation_id: int) -> list[tuple[str, list[str]]]:
        """Return who is present and on which sides, as far as bridges say; nobody when Redis is gone."""
        try:
            key = PRESENCE_KEY.format(conversation_id)
            members = cast(list[bytes], self._client().zrangebyscore(key, time.time(), "+inf"))
        except redis.RedisError as error:
            self._on_failure()
            _log.warning("presence_not_known", error=type(error).__name__)
            return []
        present: dict[str, set[str]] = {}
        for member in members:
            user_id, _, holder = member.decode().partition("|")
            present.setdefault(user_id, set()).add(holder.partition(":")[0])
        return sorted((user_id, sorted(sides)) for user_id, sides in present.items())


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
