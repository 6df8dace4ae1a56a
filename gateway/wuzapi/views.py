"""`POST /hooks/wuzapi/{channelId}`: where a WUZAPI server sends its events. No API key: the signature is the proof.

Anything understood or knowingly ignored is answered 200, for WUZAPI repeats whatever is not 2xx, five times in all.
"""

import json
from uuid import UUID

from flask import Blueprint, Response, request

from gateway import rendering
from gateway.db import Database
from gateway.ephemeral import Ephemeral
from gateway.errors import NotConfigured, PayloadTooLarge, ProviderAccountMismatch, SignatureInvalid
from gateway.metrics import Metrics
from gateway.wuzapi import bodies, events, service
from gateway.wuzapi.signature import HEADER, is_signed
from gateway.wuzapi.store import Channel
from realtime_bridge.secrets import SecretBox, SecretsError
from realtime_bridge.wuzapi import hmac_context

PREFIX = "/hooks/wuzapi"
ENDPOINT = "wuzapi.receive_event"
MAX_BODY_BYTES = 8_388_608  # a photo travels in the event as base64; larger media should come by link
NO_KEY = "Ask the operator to set CROSSFADE_SECRETS_KEY; channels need it."


def blueprint(database: Database, secrets: SecretBox | None, ephemeral: Ephemeral, metrics: Metrics) -> Blueprint:
    routes = Blueprint("wuzapi", __name__, url_prefix=PREFIX)

    def receive_event(channel_id: UUID) -> Response:
        if secrets is None:
            raise NotConfigured(NO_KEY)
        body = _body()
        channel = service.find_channel(database, channel_id)
        _check_signature(secrets, channel, body)
        assert channel is not None  # noqa: S101 an unknown channel has no key to sign with
        document = bodies.read(body, request.mimetype)
        _check_account(channel, document.get("userID"))
        result = service.receive(database, ephemeral, channel, events.understand(document))
        metrics.wuzapi_events.labels(result.value).inc()
        return rendering.one(json.dumps({"result": result.value}))

    routes.add_url_rule("/<uuid:channel_id>", view_func=receive_event, methods=["POST"])
    return routes


def _body() -> bytes:
    body = request.get_data(cache=False)
    if len(body) > MAX_BODY_BYTES:  # a chunked one was cut off by then
        raise PayloadTooLarge(f"Send at most {MAX_BODY_BYTES} bytes; let media come by link (S3).")
    return body


def _check_signature(secrets: SecretBox, channel: Channel | None, body: bytes) -> None:
    """One answer for an unknown channel, one that is switched off, no signature and a wrong one."""
    signature = request.headers.get(HEADER, "")
    try:
        key = secrets.open(channel.sealed_hmac_key, hmac_context(channel.id)) if channel else b""
    except SecretsError:
        raise NotConfigured(NO_KEY) from None
    if channel is None or not signature or not is_signed(body, signature, key):
        raise SignatureInvalid(f"Sign the raw body with the channel's HMAC key in {HEADER}.")


def _check_account(channel: Channel, user_id: object) -> None:
    """One key may serve several WUZAPI users (WUZAPI_GLOBAL_HMAC_KEY): then only the channel's own may speak here."""
    if channel.provider_user_id is not None and str(user_id) != channel.provider_user_id:
        raise ProviderAccountMismatch("This channel belongs to another WUZAPI user.")
