"""Catch-up on joining a room, without a gap. What was missed comes first, then live frames, in seq order.

Called on subscribe.
"""

from dataclasses import dataclass
from uuid import UUID

from realtime_bridge.event_log.event import Event
from realtime_bridge.legacy.cards import Card, is_listed
from realtime_bridge.legacy.conversations import Lost, StoredConversations
from realtime_bridge.legacy.dialect import DialectError
from realtime_bridge.legacy.fanout.marks import NOTHING
from realtime_bridge.legacy.frame import MAX_BIGINT, Emit, conversation_room, user_room
from realtime_bridge.legacy.pace import Pace
from realtime_bridge.legacy.sessions import Session
from realtime_bridge.legacy.socketio.dialect import emits_of
from realtime_bridge.legacy.socketio.engine import BoundedEngine
from realtime_bridge.legacy.socketio.rooms import NAMESPACE, Hold, Rooms

MAX_EVENTS = 2_000  # ten seconds of a conversation at 200/s; more is a REST client's job: the answer is `truncated`
PAGE_EVENTS = 50  # read at a time; of the largest messages some 4 MB
READ_TIMEOUT_S = 10.0  # half of a ping's time; a client that reads slower than this gets `truncated` too
USER_BYTES_PER_S = 256 * 1024
USER_BURST_BYTES = 2 * 1024 * 1024  # two thousand messages at once, on all sockets
ACCOUNT_BYTES_PER_S = 1024 * 1024
ACCOUNT_BURST_BYTES = 16 * 1024 * 1024  # an account's users coming back together


@dataclass(frozen=True, slots=True, kw_only=True)
class CaughtUp:
    last_seq: int
    is_truncated: bool = False


class CatchUp:
    """Replays a conversation to one socket while its live frames wait (rooms.py).

    What is replayed costs the loop as much as what is live, so everybody has a budget of it: a user on all sockets, and
    an account for all of its users. Whoever has used it up waits, and is told `truncated` after READ_TIMEOUT_S.
    """

    def __init__(self, rooms: Rooms, engine: BoundedEngine, conversations: StoredConversations) -> None:
        self._rooms = rooms
        self._engine = engine
        self._conversations = conversations
        self._of_user = Pace(per_s=USER_BYTES_PER_S, burst=USER_BURST_BYTES)
        self._of_account = Pace(per_s=ACCOUNT_BYTES_PER_S, burst=ACCOUNT_BURST_BYTES)

    async def join(
        self, session: Session, conversation_id: int, account_id: UUID, after_seq: int | None, lost: Lost | None
    ) -> CaughtUp | None:
        """Enter the room, send the events after `after_seq`, then let live frames through. None: a member no longer.

        The room is joined before the log is read, so an event is in the log's answer or comes live; one that does both
        is sent once. Without `after_seq` the subscriber goes on where this bridge's room is, which is behind the log's
        end while the relay has a backlog, and hears that backlog in its order. Nothing is replayed then, but what lies
        between and was `lost` with a bridge that died. Raises ConversationsUnavailable, and then nothing is joined.
        """
        room = conversation_room(conversation_id)
        joined_before = room in self._rooms.get_rooms(session.sid, NAMESPACE)
        mark = self._rooms.mark(session.sid, session.claims.user_id, room) if after_seq is None else after_seq
        up_to = None
        if after_seq is None and lost is not None:
            told = self._rooms.marks.told(room)
            up_to = told if told > NOTHING else lost.told_seq
            # How far another socket of the user was says nothing of this one, and what is yet to be told comes live.
            mark = after_seq = min(lost.after_seq, up_to)
        with self._rooms.holding(session.sid, room, mark) as hold:
            await self._rooms.enter_room(session.sid, NAMESPACE, room)
            try:
                if after_seq is None:
                    place = await self._conversations.find_place(conversation_id, session.claims)
                    caught_up = CaughtUp(last_seq=place.last_seq) if place else None
                else:
                    caught_up = await self._replay(session, conversation_id, room, account_id, hold, up_to)
            except BaseException:
                if not joined_before:
                    await self._rooms.leave_room(session.sid, NAMESPACE, room)
                raise
            if caught_up is not None:
                await self._rooms.release(session.sid, hold)
        return caught_up

    async def _replay(
        self, session: Session, conversation_id: int, room: str, account_id: UUID, hold: Hold, up_to: int | None
    ) -> CaughtUp:
        """Send the room's frames of what comes after the hold's mark, and the newest state for the chat list."""
        latest: Emit | None = None
        is_truncated = False
        last_seq = MAX_BIGINT if up_to is None else up_to
        for start in range(0, MAX_EVENTS, PAGE_EVENTS):
            limit = min(PAGE_EVENTS, MAX_EVENTS - start)
            if hold.mark >= last_seq:
                break
            events = await self._conversations.read_events(conversation_id, session.claims, hold.mark, limit)
            events = [event for event in events if event.seq <= last_seq]
            has_card = any(is_listed(event) for event in events)
            card = await self._conversations.find_card(conversation_id, session.claims) if has_card else None
            for event in events:
                emits = readable(event, card)
                if is_truncated := not await self._send(session, account_id, [e for e in emits if room in e.rooms]):
                    break
                hold.mark = event.seq
                latest = next((e for e in emits if user_room(session.claims.user_id) in e.rooms), latest)
            if is_truncated or len(events) < limit:
                break
        else:
            left = await self._conversations.read_events(conversation_id, session.claims, hold.mark, 1)
            is_truncated = any(event.seq <= last_seq for event in left)
        if latest:
            self._rooms.note_listed(session.sid, latest)
            await self._rooms.deliver_to(session.sid, [latest])
        return CaughtUp(last_seq=hold.mark, is_truncated=is_truncated)

    async def _send(self, session: Session, account_id: UUID, emits: list[Emit]) -> bool:
        """Send an event's frames when the reader and the budgets have room for them; False when that takes too long."""
        for emit in emits:
            if (packet := self._rooms.encode(emit, session.sid)) is None:
                continue
            size = len(packet.data)
            if not await self._of_user.take(session.claims.user_id, size, within_s=READ_TIMEOUT_S):
                return False
            if not await self._of_account.take(account_id, size, within_s=READ_TIMEOUT_S):
                return False
            if not await self._engine.wait_for_room(session.engine_sid, READ_TIMEOUT_S):
                return False
            await self._engine.send_packet(session.engine_sid, packet)
        return True


def readable(event: Event, card: Card | None) -> tuple[Emit, ...]:
    """An event that cannot be read, or that the dialect cannot say, was parked by the sink; here it is passed over."""
    if event.unreadable:
        return ()
    try:
        return emits_of(event, card)
    except DialectError:
        return ()
