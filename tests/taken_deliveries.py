"""A webhook delivery and its endpoint, as a sender has them in hand."""

from datetime import UTC, datetime
from uuid import uuid4

from realtime_bridge.webhooks.queue.deliveries import Claimed
from realtime_bridge.webhooks.queue.endpoints import Endpoint

ACCOUNT = str(uuid4())


def delivery() -> Claimed:
    now = datetime.now(UTC)
    return Claimed(
        id=1,
        logged_at=now,
        webhook_id=1,
        account_id=ACCOUNT,
        event_id=str(uuid4()),
        type="webhook.ping",
        lane=0,
        fifo=False,
        replay=False,
        attempts=0,
        fence=1,
        log_id=None,
        conversation_id=None,
        max_in_flight=1,
        body=b"{}",
    )


def endpoint(url: str) -> Endpoint:
    return Endpoint(id=1, url=url, headers={}, keys=[(1, b"k" * 32)], compatibility_signature=False)
