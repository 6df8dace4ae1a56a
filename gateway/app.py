"""The Flask app: everything is made and joined here, and nowhere else. Connects to nothing yet."""

from collections.abc import Callable, Mapping

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from gateway.database import Database
from gateway.gates.api_key import ApiKeyGate
from gateway.gates.body import BodyGate, BodySizeGate
from gateway.gates.compression import CompressionGate
from gateway.gates.conditional import ConditionalGate
from gateway.gates.cors import CorsGate
from gateway.gates.deprecation import Deprecation, DeprecationGate
from gateway.gates.failed_keys import FailedKeys
from gateway.gates.forwarded import ForwardedGate
from gateway.gates.json_text import JsonTextGate
from gateway.gates.links import LinkGate
from gateway.gates.own_port import OwnPortGate
from gateway.gates.rate_limit import Limits, RateLimitGate
from gateway.gates.request_id import RequestIdGate
from gateway.gates.scope import ScopeGate
from gateway.gates.turnstile import TurnstileGate
from gateway.http import problems
from gateway.http.idempotency import Idempotency
from gateway.keys.cache import KeyCache
from gateway.keys.sync import KeySync
from gateway.live.event_waiters import EventWaiters
from gateway.live.provider_choice import ProviderChoice
from gateway.live.typing import Ephemeral
from gateway.metrics import Metrics
from gateway.openapi import views as documents
from gateway.process import health
from gateway.process.heartbeat import Heartbeat
from gateway.process.runtime import NAME, Runtime
from gateway.process.transfers import Transfers
from gateway.services.channels import Channels
from gateway.services.events import CatchUp
from gateway.services.keys import Keys
from gateway.settings import Settings
from gateway.storage.directory import DirectoryStore
from gateway.v1 import (
    account,
    attachments,
    channels,
    conversations,
    events,
    files,
    imports,
    keys,
    messages,
    participants,
    realtime_sessions,
    webhooks,
)
from gateway.v1.paths import KeyId, RowId
from gateway.v1.schemas.imports import MAX_IMPORT_BYTES
from gateway.wuzapi import views as wuzapi
from realtime_bridge.shared.memory import MemoryKeeper

LOG_CONNECTIONS = 2  # per worker, for GET /events: consumers that wake together leave the others to those who write
SEND_ENDPOINTS = frozenset({"messages.send_message"})
KEY_ENDPOINTS = frozenset({"keys.create_key", "keys.rotate_key"})
CALLING_ENDPOINTS = frozenset(  # of those that take POST: a file store, Redis, another flag provider
    {
        "attachments.create_attachment",
        "attachments.confirm_attachment",
        "participants.tell_typing",
        "realtime_sessions.create_session",
    }
)
LIVE_ENDPOINTS = frozenset({"events.list_events"})
NEXT_PARAMETERS: Mapping[str, Callable[[Mapping[str, str]], str]] = {
    "events.list_events": lambda _: "after",
    "messages.list_versions": lambda _: "after_version",
    "messages.list_messages": lambda query: "after_seq" if "after_seq" in query else "before_seq",
}
DEPRECATED: Mapping[str, Deprecation] = {}  # nothing yet
LARGER_BODIES = {
    wuzapi.ENDPOINT: wuzapi.MAX_BODY_BYTES,
    imports.ENDPOINT: MAX_IMPORT_BYTES,
    files.ENDPOINT: files.MAX_BODY_BYTES,
}


def create_app(settings: Settings) -> Flask:
    app = Flask(__name__, static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False  # OPTIONS is answered 405 with Allow, like any method we lack
    app.url_map.converters["row_id"] = RowId
    app.url_map.converters["key_id"] = KeyId
    app.url_map.merge_slashes = False  # a wrong path is 404, not a redirect
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.trusted_proxies)  # type: ignore[method-assign]

    metrics = Metrics()
    database = Database(settings.database_url, pool_size=settings.pool_size)
    log = Database(settings.database_url, pool_size=min(LOG_CONNECTIONS, settings.pool_size), planned_once=True)
    cache = KeyCache()
    choices = ProviderChoice(settings.provider, settings.database_url, settings.flag_provider)
    turnstile = TurnstileGate(settings.threads, on_refusal=metrics.turned_away.inc)
    transfers = Transfers(turnstile.step_aside)
    event_waiters = EventWaiters(
        settings.database_url,
        capacity=settings.max_waiters,
        turnstile=turnstile,
        gauge=metrics.waiting_consumers,
    )
    rate_limit = RateLimitGate(
        settings.redis_url,
        limits=Limits(
            requests_per_min=settings.rate_limit_per_min,
            sends_per_min=settings.send_limit_per_min,
            account_requests_per_min=settings.account_rate_limit_per_min,
            account_sends_per_min=settings.account_send_limit_per_min,
            new_keys_per_hour=settings.new_keys_per_hour,
        ),
        send_endpoints=SEND_ENDPOINTS,
        key_endpoints=KEY_ENDPOINTS,
        on_failure=metrics.limits_not_applied.inc,
    )
    failed = FailedKeys(lambda: rate_limit.storage, per_min=settings.failed_auth_per_min)

    ephemeral = Ephemeral(database, lambda: rate_limit.storage.client, on_failure=metrics.limits_not_applied.inc)
    file_store = settings.storage.open()

    # The gates, in the order in which a request meets them. The last one, validation, is called by the views.
    for gate in (
        RequestIdGate(metrics),
        OwnPortGate(settings.metrics_port),
        ForwardedGate(settings.trusted_proxies, metrics),
        CorsGate(settings.cors_origins),
        CompressionGate(),
        ConditionalGate(LIVE_ENDPOINTS),
        LinkGate(NEXT_PARAMETERS),
        DeprecationGate(DEPRECATED),
        ApiKeyGate(database, cache, failed, metrics),
        turnstile,
        rate_limit,
        ScopeGate(),
        BodySizeGate(settings.max_body_bytes, LARGER_BODIES),
        BodyGate(turnstile, transfers),
        JsonTextGate(),
    ):
        gate.install(app)

    problems.register(app)
    app.register_blueprint(health.blueprint(database, lambda: rate_limit.storage, metrics, turnstile.is_full))
    app.register_blueprint(documents.blueprint(DEPRECATED))
    keyring = Keys(
        database,
        env=settings.env,
        requests_per_min=settings.rate_limit_per_min,
        sends_per_min=settings.send_limit_per_min,
    )
    app.register_blueprint(account.blueprint(database))
    app.register_blueprint(keys.blueprint(keyring))
    app.register_blueprint(events.blueprint(CatchUp(log, event_waiters)))
    app.register_blueprint(conversations.blueprint(database))
    app.register_blueprint(messages.blueprint(database))
    app.register_blueprint(realtime_sessions.blueprint(database, choices, settings.sides))
    app.register_blueprint(webhooks.blueprint(database, settings.secrets, settings.webhook_urls))
    app.register_blueprint(imports.blueprint(database, rate_limit.charge_sends))
    app.register_blueprint(participants.blueprint(database, ephemeral))
    app.register_blueprint(attachments.blueprint(database, file_store, settings.public_url))
    if isinstance(file_store, DirectoryStore):
        app.register_blueprint(files.blueprint(file_store, transfers))
    app.register_blueprint(channels.blueprint(Channels(database, settings.secrets, settings.wuzapi_servers)))
    app.register_blueprint(wuzapi.blueprint(database, settings.secrets, ephemeral, metrics, transfers, turnstile))
    Idempotency(database, CALLING_ENDPOINTS).install(app)  # last: it wraps every view that takes POST
    app.extensions[NAME] = Runtime(
        database=database,
        log=log,
        key_sync=KeySync(settings.database_url, cache),
        choices=choices,
        limits=rate_limit.storage,
        event_waiters=event_waiters,
        heartbeat=Heartbeat(database, settings.provider),
        memory=MemoryKeeper(),
    )
    return app
