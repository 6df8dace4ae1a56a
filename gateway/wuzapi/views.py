"""`POST /hooks/wuzapi/{channelId}`: where a WUZAPI server sends its events. No API key: the signature is the proof.

Signature header and channel come first, then the body, and a place among the working only with the proof.
Anything understood or knowingly ignored is answered 200, for WUZAPI repeats whatever is not 2xx, five times in all.
"""

from uuid import UUID

from flask import Response, request

from gateway.database import Database
from gateway.errors import NotConfigured, PayloadTooLarge, ProviderAccountMismatch, ServiceUnavailable, SignatureInvalid
from gateway.fairness.places import CHANNELS_QUEUED
from gateway.gates.turnstile import TurnstileGate
from gateway.http import rendering
from gateway.http.routes import Proof, Route
from gateway.live.typing import Ephemeral
from gateway.metrics import Metrics
from gateway.process.transfers import Transfers
from gateway.settings import Settings
from gateway.wuzapi import bodies, events, service
from gateway.wuzapi.signature import HEADER, is_signed, may_be_signature
from gateway.wuzapi.store import Channel, find_channel
from realtime_bridge.shared.secrets import SecretBox, SecretsError
from realtime_bridge.shared.shares import Queue, QueueFull
from realtime_bridge.wuzapi.channels import hmac_context

PREFIX = "/hooks/wuzapi"
MAX_BODY_BYTES = 8_388_608  # a photo travels in the event as base64; larger media should come by link
LOOKUPS_AT_ONCE, LOOKUP_WAIT_S = 2, 5.0  # of channels: guessing never holds all connections
SIGN = f"Sign the raw body with the channel's HMAC key in {HEADER}, as lowercase hex."
NO_KEY = "Ask the operator to set CROSSFADE_SECRETS_KEY; channels need it."


class Lookups(Queue):
    """Whoever asks for a channel, before anything is proven."""

    def __init__(self) -> None:
        super().__init__(LOOKUPS_AT_ONCE, CHANNELS_QUEUED)


def receive_event(
    settings: Settings,
    database: Database,
    lookups: Lookups,
    transfers: Transfers,
    turnstile: TurnstileGate,
    ephemeral: Ephemeral,
    metrics: Metrics,
    channel_id: UUID,
) -> Response:
    if settings.secrets is None:
        raise NotConfigured(NO_KEY)
    channel = _channel(database, lookups, channel_id)
    raw = _body(transfers, channel)
    _check_signature(settings.secrets, channel, raw)
    turnstile.step_in(channel.account_id)
    document = bodies.read(raw, request.mimetype)
    _check_account(channel, document.get("userID"))
    result = service.receive(database, ephemeral, channel, events.understand(document))
    metrics.wuzapi_events.labels(result.value).inc()
    return rendering.one({"result": result.value})


ROUTES = (
    Route(
        "POST",
        f"{PREFIX}/<uuid:channel_id>",
        receive_event,
        area="wuzapi",
        proof=Proof.SIGNATURE,
        largest_body=MAX_BODY_BYTES,
    ),
)


def _channel(database: Database, lookups: Lookups, channel_id: UUID) -> Channel:
    """One answer for an unknown channel, one that is switched off, no signature, and later for a wrong one."""
    if not may_be_signature(request.headers.get(HEADER, "")):
        raise SignatureInvalid(SIGN)
    try:
        with lookups.place(channel_id, LOOKUP_WAIT_S), database.connection() as connection:
            channel = find_channel(connection, channel_id)
    except QueueFull:
        raise ServiceUnavailable from None
    if channel is None:
        raise SignatureInvalid(SIGN)
    return channel


def _body(transfers: Transfers, channel: Channel) -> bytes:
    """Whoever knows a channel's id can begin a body: it takes no place of those who have shown a key."""
    body = transfers.read_body(channel.account_id, is_proven=False)
    if len(body) > MAX_BODY_BYTES:  # a chunked one was cut off by then
        raise PayloadTooLarge(f"Send at most {MAX_BODY_BYTES} bytes; let media come by link (S3).")
    return body


def _check_signature(secrets: SecretBox, channel: Channel, body: bytes) -> None:
    try:
        key = secrets.open(channel.sealed_hmac_key, hmac_context(channel.id))
    except SecretsError:
        raise NotConfigured(NO_KEY) from None
    if not is_signed(body, request.headers[HEADER], key):
        raise SignatureInvalid(SIGN)


def _check_account(channel: Channel, user_id: object) -> None:
    """One key may serve several WUZAPI users (WUZAPI_GLOBAL_HMAC_KEY): then only the channel's own may speak here."""
    if channel.provider_user_id is not None and str(user_id) != channel.provider_user_id:
        raise ProviderAccountMismatch("This channel belongs to another WUZAPI user.")
