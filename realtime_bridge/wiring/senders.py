"""Senders of webhooks and WhatsApp messages, where they are switched on."""

import structlog

from realtime_bridge.settings import Settings
from realtime_bridge.shared.database import Pool
from realtime_bridge.webhooks.call.attempt import Caller
from realtime_bridge.webhooks.places import REQUESTS
from realtime_bridge.webhooks.queue.endpoints import Endpoints
from realtime_bridge.webhooks.sender import WebhookSender
from realtime_bridge.wuzapi.client import WuzapiClient
from realtime_bridge.wuzapi.sender import Sender

log = structlog.get_logger(__name__)


def create_sender(settings: Settings, pool: Pool) -> tuple[Caller, WebhookSender] | tuple[None, None]:
    """Return what sends webhooks; nothing without a key to open their secrets, and the log says so."""
    if settings.secrets is None:
        log.warning("webhooks are queued but not sent", reason="Set CROSSFADE_SECRETS_KEY to send them.")
        return None, None
    caller = Caller(settings.webhook_urls, connections=REQUESTS, timeout_s=settings.webhook_timeout_s)
    return caller, WebhookSender(pool=pool, endpoints=Endpoints(settings.secrets), calls=caller)


def create_wuzapi_sender(settings: Settings, pool: Pool) -> tuple[WuzapiClient, Sender] | tuple[None, None]:
    """Without a key no channel can have been made here: what other bridges can send waits for them."""
    if settings.secrets is None:
        return None, None
    client = WuzapiClient()
    return client, Sender(pool=pool, secrets=settings.secrets, servers=settings.wuzapi_servers, client=client)
