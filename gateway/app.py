"""The Flask app: everything is made and joined here, and nowhere else. Connects to nothing yet."""

from operator import methodcaller

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from gateway.database import Database
from gateway.gates.api_key import ApiKeyGate
from gateway.gates.body import BodyGate
from gateway.gates.compression import compress
from gateway.gates.conditional import tag
from gateway.gates.cors import CorsGate
from gateway.gates.deprecation import announce
from gateway.gates.forwarded import ForwardedGate
from gateway.gates.json_text import end_line
from gateway.gates.own_port import OwnPortGate
from gateway.gates.rate_limit import RateLimitGate
from gateway.gates.request_id import RequestIdGate
from gateway.gates.scope import check_scope
from gateway.gates.turnstile import TurnstileGate
from gateway.http import problems
from gateway.http.idempotency import Idempotency
from gateway.http.registration import register
from gateway.http.routes import Route
from gateway.keys.cache import KeyCache
from gateway.keys.sync import KeySync
from gateway.live.event_waiters import EventWaiters
from gateway.live.provider_choice import ProviderChoice
from gateway.live.typing import Ephemeral
from gateway.metrics import Metrics
from gateway.openapi import views as documents
from gateway.openapi.views import Documents
from gateway.process import health
from gateway.process.health import Readiness
from gateway.process.heartbeat import Heartbeat
from gateway.process.runtime import NAME, Runtime
from gateway.process.transfers import Transfers
from gateway.services.channels import Channels
from gateway.services.events import CatchUp
from gateway.services.keys import Keys
from gateway.services.webhooks import Sealing
from gateway.settings import Settings
from gateway.storage.base import FileStore
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
    webhook_deliveries,
    webhooks,
)
from gateway.v1.paths import KeyId, RowId
from gateway.wuzapi import views as wuzapi
from gateway.wuzapi.views import Lookups

LOG_CONNECTIONS = 2  # per worker, for GET /events: consumers that wake together leave the others to those who write
ROUTES: tuple[Route, ...] = (  # in the order in which the description of the API shows their resources
    *health.ROUTES,
    *documents.ROUTES,
    *conversations.ROUTES,
    *participants.ROUTES,
    *messages.ROUTES,
    *imports.ROUTES,
    *attachments.ROUTES,
    *events.ROUTES,
    *account.ROUTES,
    *keys.ROUTES,
    *channels.ROUTES,
    *realtime_sessions.ROUTES,
    *webhooks.ROUTES,
    *webhook_deliveries.ROUTES,
    *wuzapi.ROUTES,
)


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
    rate_limit = RateLimitGate(settings, on_failure=metrics.limits_not_applied.inc)

    # The gates, in the order in which a request meets them. The last one, validation, stands before the views.
    for install in (
        RequestIdGate(metrics).install,
        OwnPortGate(settings.metrics_port).install,
        ForwardedGate(settings.trusted_proxies, metrics).install,
        CorsGate(settings.cors_origins).install,
        methodcaller("after_request", compress),
        methodcaller("after_request", tag),
        methodcaller("after_request", announce),
        ApiKeyGate(database, cache, rate_limit, metrics).install,
        turnstile.install,
        rate_limit.install,
        methodcaller("before_request", check_scope),
        BodyGate(settings.max_body_bytes, turnstile, transfers).install,
        methodcaller("after_request", end_line),
    ):
        install(app)

    problems.register(app)
    made = (
        settings,
        database,
        choices,
        metrics,
        transfers,
        turnstile,
        rate_limit,
        settings.files,
        Documents(ROUTES),
        Readiness(database, lambda: rate_limit.storage, turnstile.is_full),
        Ephemeral(database, lambda: rate_limit.storage.client, on_failure=metrics.limits_not_applied.inc),
        CatchUp(log, event_waiters),
        Channels(database, settings.secrets, settings.wuzapi_servers),
        Sealing(box=settings.secrets, urls=settings.webhook_urls),
        Keys(database, settings),
        Lookups(),
    )
    routes = ROUTES + (files.ROUTES if isinstance(settings.files, DirectoryStore) else ())
    given = {type(one): one for one in made} | {FileStore | None: settings.files}
    register(app, routes, given, Idempotency(database))
    app.extensions[NAME] = Runtime(
        database=database,
        log=log,
        key_sync=KeySync(settings.database_url, cache),
        choices=choices,
        limits=rate_limit.storage,
        event_waiters=event_waiters,
        heartbeat=Heartbeat(database, settings.provider),
    )
    return app
