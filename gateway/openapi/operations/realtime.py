"""Realtime sessions, described."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from gateway import errors
from gateway.openapi.operations.answers import Answer, Id
from gateway.openapi.operations.operation import Operation
from gateway.v1.schemas.realtime_sessions import CreateRealtimeSession
from realtime_bridge.rollout.dial.decision import Source
from realtime_bridge.rollout.dial.stages import StageName
from realtime_bridge.shared.variables import Told

_USER = "2f1c8a9e-3b4d-4c5e-8f60-718293a4b5c6"


class ProviderReason(Answer):
    """Why this provider: what decided, and the figures it decided by."""

    source: Source
    stage: Annotated[StageName | None, Field(description="Where the dial stands; null without a rollout.")]
    percentage: float | None
    bucket: Annotated[int, Field(ge=0, lt=10_000, description="Of the user; always the same.")]


class CatchUpPlace(Answer):
    conversation_id: Id
    seq: Annotated[int, Field(ge=0, description="Fetch what comes after the last one you have seen, up to here.")]


class Standby(Answer):
    provider: Annotated[Literal[Told.SOCKETIO], Field(description="The side it is on.")]
    url: Annotated[str | None, Field(description="Null: the address that the client knows.")]
    path: Annotated[str, Field(description="Of Socket.IO.")]


class RealtimeSession(Answer):
    provider: Annotated[Told, Field(description="The side to connect to.")]
    reason: Annotated[ProviderReason, Field(description="Why this provider.")]
    version: Annotated[int | None, Field(description="Rises with every change of the dial.")]
    user_id: Annotated[UUID, Field(description="Whose session it is.")]
    url: Annotated[str | None, Field(description="Null: the address of the legacy sockets, which clients know.")]
    path: Annotated[str | None, Field(description="Of Socket.IO.")]
    public_key: Annotated[str | None, Field(description="Supabase's publishable key.")]
    standby: Annotated[
        Standby | None,
        Field(description="The legacy side, while it is fed beside Supabase: keep it open, too, and notice no outage."),
    ]
    token: Annotated[str, Field(description="A JWT of the user. Ask for a new session before it ends.")]
    expires_at: Annotated[datetime, Field(description="When the token ends.")]
    topics: Annotated[list[str], Field(description="Private channels to join; none with Socket.IO.")]
    catch_up: Annotated[list[CatchUpPlace], Field(description="The newest `seq` of each conversation.")]


OPERATIONS = {
    "realtime_sessions.create_session": Operation(
        summary="Make a realtime session",
        tag="Realtime",
        status=201,
        body=CreateRealtimeSession,
        answer=RealtimeSession,
        example={"userId": _USER},
        problems=(errors.NotFound, errors.RealtimeNotConfigured),
        description="For your backend, on behalf of a signed-in user who takes part in conversations of yours: which"
        " provider to connect to, why, with which token, which channels to join, and where to catch up.\n\n"
        "With `supabase`: `createClient(url, publicKey, { accessToken })`, where `accessToken` asks for a new session a"
        " minute before `expiresAt`, for it is called every 25 seconds; `await supabase.realtime.setAuth()`, then"
        " subscribe to each of `topics` as a private channel. A token given to `setAuth` itself is forgotten when the"
        " line is cut. With `socketio`: `io(url, { path, auth })`, where `auth` is a function that sends the latest"
        " token; then `subscribe:conversation` for each conversation, and `socket.emit('token', token)` with each new"
        " token at once: a legacy socket ends with its own, and by it the operator sees that its client follows. After"
        " each subscribing, fetch messages with `after_seq`. The README has the whole clients. With a `standby`, keep"
        " its socket open as well, show what is first and drop what comes twice by `eventId`: so a failure of either"
        " side is not noticed. When `rollout.changed` arrives, ask again. A user whom the project has taken out of the"
        " account (`crossfade users forbid`) is answered like one whom nobody knows.",
    ),
}
