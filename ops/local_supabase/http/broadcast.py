"""POST /api/broadcast, POST /api/broadcast/{topic}/events/{event} and GET /api/ping.

Questions in the real server's order: media type, body, request rate, suspension, token, content, message rate, policy.
"""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from ops.local_supabase.access.authorization import Extension, NotDecidedError
from ops.local_supabase.access.tokens import Claims, TokenError
from ops.local_supabase.http import batch
from ops.local_supabase.http import body as http_body
from ops.local_supabase.http.batch import BatchError, BatchMessage
from ops.local_supabase.http.body import BodyError
from ops.local_supabase.sockets.context import Context
from ops.local_supabase.sockets.rates import OVER
from ops.local_supabase.wire import json_text, payload_size
from ops.local_supabase.wire.frames import Encoding
from ops.local_supabase.wire.messages import TextFanout, UserFanout

_BYTES = "application/octet-stream"
_AUTHORIZATION_PARTS = 2

CONTEXT = web.AppKey("context", Context)


@dataclass(eq=False)
class AnswerError(Exception):
    """Ends a request with a status and a JSON body."""

    status: int
    body: Any


def routes(prefix: str) -> list[web.RouteDef]:
    """The API below a prefix: the gateway's `/realtime/v1`, or the server's own root."""
    return [
        web.get(f"{prefix}/api/ping", _ping),
        web.post(f"{prefix}/api/broadcast", _broadcast_batch),
        web.post(f"{prefix}/api/broadcast/", _broadcast_batch),
        web.post(f"{prefix}/api/broadcast/{{topic}}/events/{{event}}", _broadcast_one),
    ]


async def _ping(request: web.Request) -> web.Response:
    return _answer(request, 200, {"message": "Success"})


async def _broadcast_batch(request: web.Request) -> web.Response:
    return await _guarded(request, _send_batch)


async def _broadcast_one(request: web.Request) -> web.Response:
    if http_body.media_type(request) not in ("application/json", _BYTES, ""):
        text = "Unsupported Media Type. Use application/json or application/octet-stream"
        return _plain_answer(415, {"error": text})
    return await _guarded(request, _send_one)


Sender = Callable[[web.Request, Claims, bytes, dict[str, Any]], Awaitable[None]]


async def _guarded(request: web.Request, send: Sender) -> web.Response:
    """Ask everything that both endpoints ask, then send."""
    context = request.app[CONTEXT]
    try:
        data = await http_body.read_bytes(request)
        body = http_body.parse(http_body.media_type(request), data)
    except BodyError as error:
        return text_answer(error.status, error.text)
    context.rates.requests.add()
    try:
        await send(request, _claims(context, request), data, body)
    except AnswerError as error:
        return _answer(request, error.status, error.body)
    return _answer(request, 202, None)


def _claims(context: Context, request: web.Request) -> Claims:
    """Verify the bearer token, else the apikey header, of who may ask; opaque keys are exchanged first."""
    if context.rates.requests.over:
        raise AnswerError(429, {"message": "Too many requests"})
    if context.settings.suspended:
        raise AnswerError(403, {"message": "Tenant is suspended"})
    authorization = request.headers.get("Authorization")
    token = request.headers.get("apikey")
    if authorization:
        parts = authorization.split(" ")
        if len(parts) != _AUTHORIZATION_PARTS:
            raise AnswerError(500, "Internal Server Error")
        if parts[0].lower() == "bearer":
            token = parts[1]
    if not token:
        raise AnswerError(401, {"message": "Unauthorized"})
    try:
        return context.verifier.verify(context.keys.exchange(token))
    except TokenError:
        raise AnswerError(401, {"message": "Unauthorized"}) from None


async def _send_batch(request: web.Request, claims: Claims, _data: bytes, body: dict[str, Any]) -> None:
    context = request.app[CONTEXT]
    try:
        messages = batch.read(body, context.settings.limits.max_payload_size_kb)
    except BatchError as error:
        raise AnswerError(422, {"errors": {"messages": error.errors}}) from None
    if refusal := context.rates.refusal(len(messages)):
        raise AnswerError(429, {"message": refusal})
    for message in messages:
        if not message.private:
            _publish(context, message)
    await _publish_private(context, claims, [message for message in messages if message.private])


async def _publish_private(context: Context, claims: Claims, messages: list[BatchMessage]) -> None:
    """Ask once per topic; what may not be written is dropped without a word."""
    allowed: dict[str, bool] = {}
    for message in messages:
        if message.topic not in allowed:
            allowed[message.topic] = True
            try:
                await _check_write(context, claims, message.topic)
            except AnswerError:
                allowed[message.topic] = False
        if allowed[message.topic]:
            _publish(context, message)


def _publish(context: Context, message: BatchMessage) -> None:
    body: dict[str, Any] = {"event": message.event, "payload": message.payload, "type": "broadcast"}
    if message.id is not None:
        body["meta"] = {"id": message.id}
    context.rates.events.add()
    fanout = TextFanout(f"realtime:{message.topic}", "broadcast", body)
    context.hub.publish(message.private, message.topic, fanout)


async def _send_one(request: web.Request, claims: Claims, data: bytes, body: dict[str, Any]) -> None:
    context = request.app[CONTEXT]
    topic, event = request.match_info["topic"], request.match_info["event"]
    raw = http_body.media_type(request) == _BYTES
    if not topic.strip():
        raise AnswerError(422, {"errors": {"topic": ["can't be blank"]}})
    if payload_size.exceeds(data if raw else body, len(data), context.settings.limits.max_payload_size_kb):
        raise AnswerError(422, {"errors": {"payload": ["Payload size exceeds tenant limit"]}})
    if context.rates.events.over:
        raise AnswerError(429, {"message": OVER})
    private = request.query.get("private") == "true"
    if private:
        await _check_write(context, claims, topic)
    context.rates.events.add()
    content, encoding = (data, Encoding.RAW) if raw else (json_text.encode(body), Encoding.JSON)
    try:
        context.hub.publish(private, topic, UserFanout(f"realtime:{topic}", event, content, encoding))
    except ValueError:
        raise AnswerError(500, "Internal Server Error") from None


async def _check_write(context: Context, claims: Claims, topic: str) -> None:
    try:
        permissions = await context.authorizer.writable(topic, claims, [Extension.BROADCAST])
    except NotDecidedError as error:
        raise AnswerError(422, {"message": error.over_http}) from None
    if not permissions.broadcast:
        raise AnswerError(403, {"message": "Unauthorized"})


def _answer(request: web.Request, status: int, body: Any) -> web.Response:
    """A response with the rate headers every answer past the body parser carries."""
    requests = request.app[CONTEXT].rates.requests
    rolling = int(requests.average_per_s)
    response = _plain_answer(status, body)
    response.headers["x-rate-rolling"] = str(rolling)
    response.headers["x-rate-limit"] = str(requests.limit_per_s)
    response.headers["x-rate-limit-remaining"] = str(max(requests.limit_per_s - rolling, 0))
    return response


def _plain_answer(status: int, body: Any) -> web.Response:
    headers = {"x-request-id": uuid.uuid4().hex}
    if body is None:
        return web.Response(status=status, headers={**headers, "Content-Length": "0"})
    headers["Content-Type"] = "application/json; charset=utf-8"
    return web.Response(status=status, body=json_text.encode(body), headers=headers)


def text_answer(status: int, text: str, *, request_id: bool = False) -> web.Response:
    """What the real server's framework answers by itself: the reason as `text/html`."""
    headers = {"Content-Type": "text/html; charset=utf-8"}
    if request_id:
        headers["x-request-id"] = uuid.uuid4().hex
    return web.Response(status=status, body=text.encode(), headers=headers)
