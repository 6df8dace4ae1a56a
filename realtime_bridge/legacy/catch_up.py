"""Join a room without a gap: what was missed comes first, then live frames, in seq order. Called on subscribe."""

from dataclasses import dataclass

from realtime_bridge.events import Event
from realtime_bridge.legacy.cards import Card
from realtime_bridge.legacy.conversations import Conversations
from realtime_bridge.legacy.dialects import DialectError, Emit, emits_of, is_listed, user_room
from realtime_bridge.legacy.engine import BoundedEngine
from realtime_bridge.legacy.rooms import NAMESPACE, Rooms
from realtime_bridge.legacy.sessions import Session

MAX_EVENTS = 500  # more is a REST client's job: `truncated` in the answer says so
READ_TIMEOUT_S = 10.0  # half of a ping's time; a client that reads slower than this gets `truncated` too


@dataclass(frozen=True, slots=True, kw_only=True)
class CaughtUp:
    last_seq: int
    is_truncated: bool


class CatchUp:
    """Replays a conversation to one socket while its live frames wait (rooms.py)."""

    def __init__(self, rooms: Rooms, engine: BoundedEngine, conversations: Conversations) -> None:
        self._rooms = rooms
        self._engine = engine
        self._conversations = conversations

    async def join(self, session: Session, conversation_id: int, room: str, after_seq: int) -> CaughtUp:
        """Enter the room, send the events after `after_seq`, then let live frames through.

        The room is joined before the log is read, so an event is in the log's answer or comes live; one that does both
        is sent once. Raises ConversationsUnavailable, and then nothing is joined.
        """
        joined_before = room in self._rooms.get_rooms(session.sid, NAMESPACE)
        with self._rooms.holding(session.sid, room, after_seq) as hold:
            await self._rooms.enter_room(session.sid, NAMESPACE, room)
            try:
                events = await self._conversations.read_events(
                    conversation_id, session.claims.user_id, after_seq, MAX_EVENTS + 1
                )
            except BaseException:
                if not joined_before:
                    await self._rooms.leave_room(session.sid, NAMESPACE, room)
                raise
            sent = await self._replay(session, room, events[:MAX_EVENTS])
            hold.up_to_seq = sent[-1].seq if sent else after_seq
            await self._rooms.release(session.sid, room, hold)
        return CaughtUp(last_seq=hold.up_to_seq, is_truncated=len(sent) < len(events))

    async def _replay(self, session: Session, room: str, events: list[Event]) -> list[Event]:
        """Send the room's frames of `events`, and the newest state for the chat list; return what could be sent."""
        card = await self._read_card(session, events)
        latest: Emit | None = None
        for number, event in enumerate(events):
            if not await self._engine.wait_for_room(session.engine_sid, READ_TIMEOUT_S):
                return events[:number]
            emits = _readable(event, card)
            await self._rooms.deliver_to(session.sid, [emit for emit in emits if room in emit.rooms])
            listed = [emit for emit in emits if user_room(session.claims.user_id) in emit.rooms]
            latest = listed[-1] if listed else latest
        if latest:
            await self._rooms.deliver_to(session.sid, [latest])
        return events

    async def _read_card(self, session: Session, events: list[Event]) -> Card | None:
        listed = next((event for event in reversed(events) if is_listed(event)), None)
        return await self._conversations.find_card(listed.conversation_id, session.claims.user_id) if listed else None


def _readable(event: Event, card: Card | None) -> tuple[Emit, ...]:
    """An event that cannot be read, or that the dialect cannot say, was parked by the sink; here it is passed over."""
    if event.unreadable:
        return ()
    try:
        return emits_of(event, card)
    except DialectError:
        return ()
