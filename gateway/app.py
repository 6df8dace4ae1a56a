"""The Flask app: everything is made and joined here, and nowhere else. Connects to nothing yet."""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from gateway import health, problems
from gateway.db import Database
from gateway.gates.api_key import ApiKeyGate
from gateway.gates.body_size import BodySizeGate
from gateway.gates.failed_keys import FailedKeys
from gateway.gates.rate_limit import RateLimitGate
from gateway.gates.request_id import RequestIdGate
from gateway.gates.scope import ScopeGate
from gateway.key_cache import KeyCache
from gateway.key_sync import KeySync
from gateway.metrics import Metrics
from gateway.provider_choice import ProviderChoice
from gateway.runtime import NAME, Runtime
from gateway.settings import Settings
from gateway.v1 import conversations, messages, realtime_sessions
from gateway.v1.paths import RowId

SEND_ENDPOINTS = frozenset({"messages.send_message"})


def create_app(settings: Settings) -> Flask:
    app = Flask(__name__, static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False  # OPTIONS is answered 405 with Allow, like any method we lack
    app.url_map.converters["row_id"] = RowId
    app.url_map.merge_slashes = False  # a wrong path is 404, not a redirect
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.trusted_proxies)  # type: ignore[method-assign]

    metrics = Metrics()
    database = Database(settings.database_url, pool_size=settings.pool_size)
    cache = KeyCache()
    choices = ProviderChoice(settings.provider, settings.database_url, settings.flag_provider)
    rate_limit = RateLimitGate(
        settings.redis_url,
        requests_per_min=settings.rate_limit_per_min,
        sends_per_min=settings.send_limit_per_min,
        send_endpoints=SEND_ENDPOINTS,
        on_failure=metrics.limits_not_applied.inc,
    )
    failed = FailedKeys(lambda: rate_limit.storage, per_min=settings.failed_auth_per_min)

    # The gates, in the order in which a request meets them. The last one, validation, is called by the views.
    for gate in (
        RequestIdGate(metrics),
        ApiKeyGate(database, cache, failed, metrics),
        rate_limit,
        ScopeGate(),
        BodySizeGate(settings.max_body_bytes),
    ):
        gate.install(app)

    problems.register(app)
    app.register_blueprint(health.blueprint(database, lambda: rate_limit.storage, metrics))
    app.register_blueprint(conversations.blueprint(database))
    app.register_blueprint(messages.blueprint(database))
    app.register_blueprint(realtime_sessions.blueprint(database, choices, settings.sides))
    app.extensions[NAME] = Runtime(
        database=database,
        key_sync=KeySync(settings.database_url, cache),
        choices=choices,
        limits=rate_limit.storage,
    )
    return app
