"""Handlers for clients that connect, ask something or go. Made by the server."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import structlog
from socketio.exceptions import ConnectionRefusedError as Refused

from realtime_bridge.legacy.conversations import ConversationsUnavailable, StoredConversations
from realtime_bridge.legacy.endings import EVICTED, Ending, Endings
from realtime_bridge.legacy.fanout.local import Fanout
from realtime_bridge.legacy.frame import Emit, conversation_room, user_room
from realtime_bridge.legacy.incoming import Mistake, StoredIncoming, Written, not_found
from realtime_bridge.legacy.message_limit import MESSAGES, MessageLimit
from realtime_bridge.legacy.pace import Pace
from realtime_bridge.legacy.sessions import MAX_SUBSCRIPTIONS, Session, Sessions, Watcher
from realtime_bridge.legacy.socketio import arguments as answers
from realtime_bridge.legacy.socketio.catch_up import CatchUp
from realtime_bridge.legacy.socketio.dialect import typing
from realtime_bridge.legacy.socketio.protocol_guard import GuardedSocketServer
from realtime_bridge.legacy.socketio.rooms import NAMESPACE, Rooms
from realtime_bridge.network import door
from realtime_bridge.shared.tokens import TokenError, TokenVerifier

log = structlog.get_logger(__name__)

VERBS_PER_S = 25.0  # of a user
VERBS_BURST = 600.0  # three tabs that come back with 200 subscriptions each
PATIENCE_S = 5.0  # a quarter of a ping's time: whoever asks faster than that is refused and not only slowed down


@dataclass(kw_only=True, eq=False)
class Handlers:
    """One handler for each thing that can happen to a socket; the library calls them one after another for a socket."""

    sio: GuardedSocketServer
    rooms: Rooms
    sessions: Sessions
    fanout: Fanout
    verifier: TokenVerifier
    conversations: StoredConversations
    incoming: StoredIncoming
    limit: MessageLimit
    endings: Endings
    watcher: Watcher = field(default_factory=Watcher)

    def __post_init__(self) -> None:
        self._verbs = Pace(per_s=VERBS_PER_S, burst=VERBS_BURST)
        self._catch_up = CatchUp(self.rooms, self.sio.eio, self.conversations)
        self.sio.on("connect", self._connect)
        self.sio.on("disconnect", self._disconnect)
        self.sio.on("*", self._on_event)
        self.rooms.expel_strangers = self._expel_strangers
        self.endings.close = self.close

    async def _connect(self, sid: str, environ: dict[str, Any], auth: object = None) -> None:
        try:
            claims = await self.verifier.check(auth.get("token") if isinstance(auth, dict) else None)
            heard = answers.heard(auth)
        except (TokenError, Mistake) as error:
            raise Refused(str(error), {"code": error.code}) from None
        if self.endings.is_evicted(claims):
            raise Refused(EVICTED.reason, {"code": EVICTED.code})
        if not await self._verbs.take(claims.user_id, 1, within_s=PATIENCE_S):
            raise Refused("Too many requests of this user.", {"code": "rate_limited"})
        if not self.sessions.has_room_for(claims):
            raise Refused("Too many connections of this user.", {"code": "too_many_connections"})
        if not door.prove(environ["asgi.scope"]):
            raise Refused("This server is full; come again.", {"code": "too_many_connections"})
        engine_sid = self.rooms.eio_sid_from_sid(sid, NAMESPACE)
        self.sessions.add(Session(sid=sid, engine_sid=engine_sid, claims=claims, heard=heard))
        self.rooms.greet_socket(sid, claims.user_id, environ["asgi.scope"]["path"])
        await self.sio.enter_room(sid, user_room(claims.user_id))

    async def _disconnect(self, sid: str, _reason: str) -> None:
        session = self.sessions.remove(sid)
        if session is None:
            return
        self.rooms.forget_socket(sid, session.claims.user_id)
        self.sio.close_unless_connected(session.engine_sid)
        for conversation_id in session.typing:
            sign = typing(conversation_id, session.claims.user_id, is_typing=False)
            await self.fanout.publish_unstored(sign, skip_sid=sid)
            self.watcher.typed(session, conversation_id, is_typing=False)
        for conversation_id in session.subscriptions:
            self.watcher.left(session, conversation_id)

    async def _on_event(self, event: str, sid: str, *arguments: object) -> dict[str, Any]:
        """Answer one event; the answer is its acknowledgement, and an error is also sent as an `error` event."""
        session = self.sessions.find(sid)
        if session is None:
            return answers.error("not_connected", "Connect first.")
        try:
            await self._pace(session)
            answer = await self._dispatch(*self.rooms.dialect_of(sid).hear(event, arguments), session)
        except Mistake as mistake:
            answer = answers.error(mistake.code, str(mistake))
        except ConversationsUnavailable as error:
            log.warning("legacy request not answered", event_name=event, error=str(error))
            answer = answers.error("unavailable", "Try again in a moment.")
        if "error" in answer:
            emit = Emit(event="error", data=answer["error"] | {"event": event}, rooms=(sid,), conversation_id=0)
            await self.rooms.deliver_to(sid, [emit])
        return answer

    async def _pace(self, session: Session) -> None:
        """Let a user's requests pass at their pace, whatever the socket; one that would wait too long is refused."""
        if not await self._verbs.take(session.claims.user_id, 1, within_s=PATIENCE_S):
            raise Mistake("rate_limited", f"At most {VERBS_PER_S:.0f} requests a second; wait a moment.")

    async def _dispatch(self, event: str, arguments: tuple[object, ...], session: Session) -> dict[str, Any]:
        match event:
            case "subscribe:conversation":
                return await self._subscribe(session, *answers.subscription(arguments))
            case "unsubscribe:conversation":
                return await self._unsubscribe(session, answers.conversation_id(arguments[:1]))
            case "typing":
                return await self._typing(session, *answers.typing(arguments))
            case "message":
                return await self._message(session, answers.message(arguments))
            case "read":
                return await self._read(session, *answers.read(arguments))
            case "token":
                return await self._token(session, arguments)
            case _:
                raise Mistake("unknown_event", "There is no such event.")

    async def _subscribe(self, session: Session, conversation_id: int, after_seq: int | None) -> dict[str, Any]:
        if self.sessions.has_expired(session):
            raise Mistake("token_expired", "The token has expired; connect again with a new one.")
        if conversation_id not in session.subscriptions and len(session.subscriptions) >= MAX_SUBSCRIPTIONS:
            raise Mistake("too_many_subscriptions", f"At most {MAX_SUBSCRIPTIONS} conversations for a socket.")
        await self.fanout.catch_up()
        place = await self.conversations.find_place(conversation_id, session.claims)
        if place is None:
            await self._unsubscribe(session, conversation_id)
            raise not_found()
        if after_seq is None:
            after_seq = session.heard.pop(conversation_id, None)
        before = session.subscriptions.get(conversation_id)
        session.subscriptions[conversation_id] = place.last_seq
        start = None if after_seq is None else min(after_seq, place.last_seq)
        try:
            caught_up = await self._catch_up.join(session, conversation_id, place.account_id, start, place.lost)
        except ConversationsUnavailable:
            if before is None:
                session.subscriptions.pop(conversation_id, None)
            raise
        if caught_up is None or conversation_id not in session.subscriptions:
            await self._unsubscribe(session, conversation_id)
            raise not_found()
        self.watcher.joined(session, conversation_id)
        last_seq = max(place.last_seq, caught_up.last_seq)
        answer = {"ok": True, "conversationId": str(conversation_id), "lastSeq": last_seq}
        return answer | {"truncated": True} if caught_up.is_truncated else answer

    async def _unsubscribe(self, session: Session, conversation_id: int) -> dict[str, Any]:
        if session.subscriptions.pop(conversation_id, None) is not None:
            self.watcher.left(session, conversation_id)
        await self.sio.leave_room(session.sid, conversation_room(conversation_id))
        self.rooms.leave(session.sid, session.claims.user_id, conversation_room(conversation_id))
        return {"ok": True, "conversationId": str(conversation_id)}

    async def _expel_strangers(self, conversation_id: int, seq: int, members: Collection[str]) -> None:
        """End the subscriptions of those who took part when they subscribed, and did no longer at this event.

        The event is a later one, so whoever was let in again meanwhile has to subscribe again, like anybody else.
        """
        members = frozenset(members)
        for sid in self.rooms.sids_in(conversation_room(conversation_id)):
            session = self.sessions.find(sid)
            if session is None or str(session.claims.user_id) in members:
                continue
            if session.subscriptions.get(conversation_id, -1) < seq:
                await self._unsubscribe(session, conversation_id)

    async def _typing(self, session: Session, conversation_id: int, is_typing: bool) -> dict[str, Any]:
        if conversation_id not in session.subscriptions:
            raise Mistake("not_subscribed", "Subscribe to the conversation first.")
        if self.sessions.take_typing(session, conversation_id, is_typing=is_typing):
            sign = typing(conversation_id, session.claims.user_id, is_typing=is_typing)
            await self.fanout.publish_unstored(sign, skip_sid=session.sid)
            self.watcher.typed(session, conversation_id, is_typing=is_typing)
        return {"ok": True}

    async def _message(self, session: Session, written: Written) -> dict[str, Any]:
        receipt = await (await self._allowed(session)).append_message(session.claims, written)
        return {"ok": True, "id": str(receipt.id), "seq": receipt.seq, "eventId": receipt.event_id}

    async def _read(self, session: Session, conversation_id: int, seq: int) -> dict[str, Any]:
        await (await self._allowed(session)).mark_read(session.claims, conversation_id, seq)
        return {"ok": True, "conversationId": str(conversation_id)}

    async def _token(self, session: Session, arguments: tuple[object, ...]) -> dict[str, Any]:
        """Go on with a newer token of the same user, instead of being closed when the old one runs out."""
        try:
            claims = await self.verifier.check(answers.token(arguments))
        except TokenError as error:
            raise Mistake(error.code, str(error)) from None
        if claims.user_id != session.claims.user_id:
            raise Mistake("token_subject", "The token is another user's; connect anew with it.")
        if self.endings.is_evicted(claims):
            raise Mistake(EVICTED.code, EVICTED.reason)
        session.claims = claims
        return {"ok": True, "expiresAt": claims.expires_at}

    async def close(self, session: Session, ending: Ending) -> None:
        """Tell a socket's client why it ends, and end it; the client comes back, with the token it has then."""
        await self.rooms.deliver_to(session.sid, [ending.emit(session.sid)])
        await self.sio.eio.drop(session.engine_sid)

    async def _allowed(self, session: Session) -> StoredIncoming:
        """Return where to write, for a user whose token is valid and who does not flood."""
        if self.sessions.has_expired(session):
            raise Mistake("token_expired", "The token has expired; connect again with a new one.")
        if not await self.limit.take(session.claims.user_id):
            raise Mistake("rate_limited", f"At most {MESSAGES} messages a second; send it again in a moment.")
        return self.incoming
