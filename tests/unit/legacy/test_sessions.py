"""Sessions and what a user may do how often."""

from uuid import UUID

from realtime_bridge.legacy.sessions import MAX_STARTED, Session, Sessions
from realtime_bridge.shared.tokens import Claims


def session(sid: str, user: int = 1, expires_at: int = 2**31) -> Session:
    return Session(sid=sid, engine_sid=f"e-{sid}", claims=Claims(user_id=UUID(int=user), expires_at=expires_at))


def test_sockets_are_counted_by_user() -> None:
    """One user's sockets leave another's room untouched, and a removed one makes room."""
    sessions = Sessions(per_user=1)
    mine, other = session("a"), session("b", user=2)
    sessions.add(mine)
    assert (sessions.has_room_for(mine.claims), sessions.has_room_for(other.claims)) == (False, True)
    assert sessions.remove("a") is mine
    assert (sessions.has_room_for(mine.claims), sessions.remove("a"), len(sessions)) == (True, None, 0)


def test_token_expires_when_it_says() -> None:
    """At its last second a token is expired."""
    sessions = Sessions(now=lambda: 100.0)
    assert [sessions.has_expired(session("a", expires_at=at)) for at in (99, 100, 101)] == [True, True, False]


def test_typing_is_limited_by_user_and_conversation() -> None:
    """One start a second for a user in a conversation, from however many sockets; a stop needs a start."""
    now = 0.0
    sessions = Sessions(clock=lambda: now)
    first, second = session("a"), session("b")
    for each in (first, second):
        sessions.add(each)
    assert not sessions.take_typing(first, 5, is_typing=False)
    assert sessions.take_typing(first, 5, is_typing=True)
    assert not sessions.take_typing(second, 5, is_typing=True)
    assert sessions.take_typing(second, 6, is_typing=True)
    assert sessions.take_typing(first, 5, is_typing=False)
    now = 0.9
    assert not sessions.take_typing(first, 5, is_typing=True)
    now = 1.0
    assert sessions.take_typing(first, 5, is_typing=True)


def test_memory_of_typing_is_bounded() -> None:
    """Typing in ever new conversations does not grow without end."""
    sessions = Sessions(clock=lambda: 0.0)  # none of them is forgotten for its age
    typist = session("a")
    sessions.add(typist)
    for conversation_id in range(MAX_STARTED + 10):
        assert sessions.take_typing(typist, conversation_id, is_typing=True)
    assert len(sessions._started) <= MAX_STARTED
