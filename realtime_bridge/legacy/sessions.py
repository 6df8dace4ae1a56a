"""Sessions of accepted sockets, and what their users may do how often. Driven by the server."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from cachetools import TTLCache

from realtime_bridge.fleet.sockets import Sockets
from realtime_bridge.shared.tokens import Claims
from realtime_bridge.shared.variables import Told

MAX_SOCKETS_PER_USER = 20  # browser tabs and devices, in this process
MAX_SUBSCRIPTIONS = 200
TYPING_INTERVAL_S = 1.0  # one start for each user and conversation
MAX_STARTED = 20_000  # one for each socket that there may be; beyond it, somebody's next start comes too soon


@dataclass(slots=True, kw_only=True)
class Session:
    sid: str
    engine_sid: str
    claims: Claims
    subscriptions: dict[int, int] = field(default_factory=dict)
    """By conversation: its newest seq when the user was last seen to take part in it."""
    heard: dict[int, int] = field(default_factory=dict)
    """By conversation: how far its client said that it was when it connected, until it subscribes."""
    typing: set[int] = field(default_factory=set)
    """Conversations in which this socket last said that its user types."""


class Sessions:
    """Sessions by socket and by user. `clock` is monotonic; it and `now` (epoch seconds) are passed in for tests."""

    def __init__(
        self,
        *,
        per_user: int = MAX_SOCKETS_PER_USER,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._per_user = per_user
        self._now = now
        self._by_sid: dict[str, Session] = {}
        self._by_user: dict[str, set[str]] = {}
        self._started: TTLCache[tuple[UUID, int], bool] = TTLCache(MAX_STARTED, TYPING_INTERVAL_S, clock)
        self._gone: set[UUID] = set()

    def __len__(self) -> int:
        return len(self._by_sid)

    def count_by_user(self) -> dict[UUID, Sockets]:
        """Return how many sockets each user has here."""
        counts = {}
        for user, sids in self._by_user.items():
            told = [self._by_sid[sid].claims.told for sid in sids]
            counts[UUID(user)] = Sockets(len(told), told.count(Told.SUPABASE), told.count(None))
        return counts

    def take_gone(self) -> set[UUID]:
        """Return whose old client's socket has gone since the last time, however short it was there."""
        gone, self._gone = self._gone, set()
        return gone

    def has_room_for(self, claims: Claims) -> bool:
        return len(self._by_user.get(str(claims.user_id), ())) < self._per_user

    def add(self, session: Session) -> None:
        self._by_sid[session.sid] = session
        self._by_user.setdefault(str(session.claims.user_id), set()).add(session.sid)

    def all(self) -> list[Session]:
        return list(self._by_sid.values())

    def users(self) -> list[UUID]:
        return [UUID(user) for user in self._by_user]

    def of_user(self, user_id: UUID) -> list[Session]:
        return [self._by_sid[sid] for sid in self._by_user.get(str(user_id), ())]

    def find(self, sid: str) -> Session | None:
        return self._by_sid.get(sid)

    def remove(self, sid: str) -> Session | None:
        session = self._by_sid.pop(sid, None)
        if session:
            user = str(session.claims.user_id)
            if session.claims.told is None:
                self._gone.add(session.claims.user_id)
            self._by_user[user].discard(sid)
            if not self._by_user[user]:
                del self._by_user[user]
        return session

    def has_expired(self, session: Session) -> bool:
        return session.claims.expires_at <= self._now()

    def take_typing(self, session: Session, conversation_id: int, *, is_typing: bool) -> bool:
        """Note a sign of typing; False when it says nothing new or comes too soon, and nobody is to be told."""
        if not is_typing:
            was_typing = conversation_id in session.typing
            session.typing.discard(conversation_id)
            return was_typing
        if (session.claims.user_id, conversation_id) in self._started:
            return False
        self._started[session.claims.user_id, conversation_id] = True
        session.typing.add(conversation_id)
        return True


class Watcher:
    """Nobody, for a bridge without another side. Every method returns at once: what takes time is queued."""

    def joined(self, session: Session, conversation_id: int) -> None: ...

    def left(self, session: Session, conversation_id: int) -> None: ...

    def typed(self, session: Session, conversation_id: int, *, is_typing: bool) -> None:
        """A sign that passed the limit of one start a second, or a stop."""
