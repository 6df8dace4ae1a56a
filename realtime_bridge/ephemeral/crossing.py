"""Crossing of typing and presence between legacy sockets and Supabase's channels.

A channel is joined only while a legacy socket of this bridge is in the conversation and somebody else in it may be on
Supabase. Each bridge hears the channel for its own sockets, and says there only what its own sockets did: one hop. Its
legacy users stand in the channel's presence one by one, each under the own id, as users of Supabase do.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog

from realtime_bridge import metrics
from realtime_bridge.ephemeral import signs
from realtime_bridge.ephemeral.announcements import Announcements
from realtime_bridge.ephemeral.members import StoredMembers
from realtime_bridge.ephemeral.presence import RENEW_S, Leases
from realtime_bridge.ephemeral.rooms import Room, RoomsHere
from realtime_bridge.ephemeral.signs import Kind, Origin, Sign, topic_of
from realtime_bridge.ephemeral.typing import Typing
from realtime_bridge.legacy.frame import Emit
from realtime_bridge.legacy.sessions import Session, Watcher
from realtime_bridge.legacy.socketio.dialect import typing
from realtime_bridge.shared.shares import Line, QueueFull
from realtime_bridge.supabase.seat import OnPeople, Receive
from realtime_bridge.supabase.seats import Seats

log = structlog.get_logger(__name__)

Work = Callable[[], Awaitable[object]]

QUEUE = 1_600  # signs are dropped first when there is too much to do, and those of who says most before others'
OWN = 0  # the bridge's own work stands in line like a conversation's; there is none of this number
STAND_INS = 10  # of a conversation: Supabase gives a socket one entry in a channel, so each is a seat on another socket
TICK_S = 0.5  # how late an expiry may be noticed


class EphemeralBridge(Watcher):
    """Crosses what the legacy sockets do, and what their channels say.

    `may_be_on_supabase` asks the dial for a user of an account; `deliver` reaches this bridge's own sockets.
    """

    def __init__(
        self,
        *,
        channels: Seats,
        leases: Leases,
        members: StoredMembers,
        deliver: Callable[[Emit], Awaitable[None]],
        may_be_on_supabase: Callable[[UUID, UUID], bool],
        name: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._channels = channels
        self._leases = leases
        self._members = members
        self._deliver = deliver
        self._may_be_on_supabase = may_be_on_supabase
        self._name = name
        self._clock = clock
        self._rooms = RoomsHere()
        self._typing = Typing(clock)
        self._stand_ins: dict[int, frozenset[UUID]] = {}
        self._said = Announcements(channels, self._rooms)
        self._parting: Counter[int] = Counter()
        """How many users have left whose leave stands in line: the seat is kept until the last one was told."""
        self._work: Line[Work] = Line(1, QUEUE)
        """By conversation and not by account, which is not known before the first look: what moved from one owner to
        another would overtake itself, and a user would leave before it came.
        """
        self._some = asyncio.Event()
        self._renew_at = clock() + RENEW_S

    def joined(self, session: Session, conversation_id: int) -> None:
        user_id = session.claims.user_id
        is_first = self._rooms.enter(conversation_id, user_id, session.sid)
        self._later(conversation_id, lambda: self._welcome(conversation_id, user_id, session.sid, is_first=is_first))

    def left(self, session: Session, conversation_id: int) -> None:
        user_id = session.claims.user_id
        room = self._rooms.exit(conversation_id, user_id, session.sid)
        if room is not None and self._later(conversation_id, lambda: self._part(conversation_id, user_id, room)):
            self._parting[conversation_id] += 1

    def typed(self, session: Session, conversation_id: int, *, is_typing: bool) -> None:
        sign = Sign(
            kind=Kind.TYPING,
            conversation_id=conversation_id,
            user_id=session.claims.user_id,
            origin=Origin.LEGACY,
            is_typing=is_typing,
        )
        self._later(conversation_id, lambda: self._said.say(sign, self._rooms.get(conversation_id)))

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tick())
            while True:
                await self.run_once()

    async def run_once(self) -> int:
        """Wait for one thing to do and do it; what one sign breaks on does not stop the next."""
        while not (turn := self._work.take()):
            self._some.clear()
            await self._some.wait()
        conversation_id, work = turn
        try:
            await work()
        except Exception:
            log.exception("a sign was not carried over")
        finally:
            self._work.leave(conversation_id)
        return 1

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._later(OWN, self._expire)
            if self._said.wait:
                self._later(OWN, self._said.announce)
            if self._clock() >= self._renew_at:
                self._renew_at = self._clock() + RENEW_S
                self._later(OWN, self._renew)

    def _later(self, conversation_id: int, work: Work) -> bool:
        self._some.set()
        try:
            self._work.join(conversation_id, work)
        except QueueFull:
            metrics.SIGNS_DROPPED.inc()
            return False
        return True

    async def _welcome(self, conversation_id: int, user_id: UUID, sid: str, *, is_first: bool) -> None:
        """Tell the newcomer who is there, and the others of the newcomer."""
        present = await self._leases.people(conversation_id)
        for other in present - {user_id}:
            await self._deliver(signs.presence(conversation_id, other, is_online=True, room=sid))
        if is_first and await self._leases.hold(conversation_id, user_id, self._holder(Origin.LEGACY)):
            await self._deliver(signs.presence(conversation_id, user_id, is_online=True))
            self._said.note(Kind.JOIN, conversation_id, user_id)
        await self._open_or_close(conversation_id)
        await self._said.announce()

    async def _part(self, conversation_id: int, user_id: UUID, room: Room) -> None:
        self._parting -= Counter((conversation_id,))
        if await self._leases.release(conversation_id, user_id, self._holder(Origin.LEGACY)):
            await self._deliver(signs.presence(conversation_id, user_id, is_online=False))
            self._said.note(Kind.LEAVE, conversation_id, user_id, room.membership.names.get(user_id))
            await self._said.announce()
        for other in room.on_supabase if not room.sockets else ():
            await self._leases.release(conversation_id, other, self._holder(Origin.SUPABASE))
        await self._open_or_close(conversation_id)

    async def _open_or_close(self, conversation_id: int) -> None:
        """Sit in the channel exactly while both kinds of member may be there."""
        room, topic = self._rooms.get(conversation_id), topic_of(conversation_id)
        if room is not None and (membership := await self._members.find_membership(conversation_id)):
            room.membership = membership
        if room is not None and self._may_meet(room):
            self._channels.take(topic, self._receiver(conversation_id), self._people_watcher(conversation_id))
            self._show(conversation_id, room.users, room.membership.names)
        elif conversation_id not in self._parting:
            self._show(conversation_id, frozenset(), {})
            self._channels.leave(topic)
            self._said.forget(conversation_id)

    def _show(self, conversation_id: int, users: frozenset[UUID], names: Mapping[UUID, str | None]) -> None:
        """Show exactly these users in the channel's presence, by id and name, each as an entry of its own."""
        topic = topic_of(conversation_id)
        shown = frozenset(sorted(users)[:STAND_INS])
        for user_id in self._stand_ins.pop(conversation_id, frozenset()) - shown:
            self._channels.leave(topic, str(user_id))
        for user_id in shown:
            self._channels.stand_in(topic, str(user_id), signs.stand_in(user_id, names.get(user_id), self._name))
        if shown:
            self._stand_ins[conversation_id] = shown

    def _may_meet(self, room: Room) -> bool:
        """Whether somebody in the room and somebody else, who may be on the other side, take part.

        Whoever may be on Supabase may be there although in the room, too: its socket here can be a standby.
        """
        return any(
            room.users - {user_id} and self._may_be_on_supabase(user_id, room.membership.account_id)
            for user_id in room.participants
        )

    def _receiver(self, conversation_id: int) -> Receive:
        def receive(event: str, payload: Mapping[str, Any]) -> None:
            sign = signs.heard(conversation_id, event, payload) if isinstance(payload, Mapping) else None
            if sign:
                self._later(conversation_id, lambda: self._hear(sign))

        return receive

    def _people_watcher(self, conversation_id: int) -> OnPeople:
        def changed(state: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
            people = signs.people(state)
            self._later(conversation_id, lambda: self._meet(conversation_id, people))

        return changed

    async def _hear(self, sign: Sign) -> None:
        """Tell legacy sockets that somebody types on Supabase. Only a participant can: others are a client's lie."""
        room = self._rooms.get(sign.conversation_id)
        if room is None or sign.user_id not in room.participants:
            return
        told = self._typing.start if sign.is_typing else self._typing.stop
        if told(sign.conversation_id, sign.user_id):
            await self._deliver(typing(sign.conversation_id, sign.user_id, is_typing=sign.is_typing))
            metrics.SIGNS.labels(Origin.SUPABASE).inc()

    async def _meet(self, conversation_id: int, people: frozenset[UUID]) -> None:
        """Tell legacy sockets who came to the channel and who left it."""
        room = self._rooms.get(conversation_id)
        if room is None:
            return
        people &= room.participants
        came, went, room.on_supabase = people - room.on_supabase, room.on_supabase - people, people
        for user_id in came:
            if await self._leases.hold(conversation_id, user_id, self._holder(Origin.SUPABASE)):
                await self._deliver(signs.presence(conversation_id, user_id, is_online=True))
        for user_id in went:
            if await self._leases.release(conversation_id, user_id, self._holder(Origin.SUPABASE)):
                await self._deliver(signs.presence(conversation_id, user_id, is_online=False))

    async def _expire(self) -> None:
        for conversation_id, user_id in self._typing.take_expired():
            await self._deliver(typing(conversation_id, user_id, is_typing=False))

    async def _renew(self) -> None:
        """Renew leases by the full set, and look again at who may be on which side."""
        for conversation_id, room in list(self._rooms.items()):
            for user_id in room.users:
                await self._leases.hold(conversation_id, user_id, self._holder(Origin.LEGACY))
            for user_id in room.on_supabase:
                await self._leases.hold(conversation_id, user_id, self._holder(Origin.SUPABASE))
            await self._open_or_close(conversation_id)

    def _holder(self, side: Origin) -> str:
        return f"{side}:{self._name}"
