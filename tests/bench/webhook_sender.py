"""One more sender on the queue of `bench_webhooks`, as a second bridge would be.

It works from a line on its standard input to the end of it.

`python -m tests.bench.webhook_sender`, with DATABASE_URL and CROSSFADE_SECRETS_KEY; says `ready` when it can be told.
"""

import asyncio
import os
import sys

from realtime_bridge.shared import database, memory
from realtime_bridge.shared.environment import Environment
from realtime_bridge.shared.secrets import SecretBox
from realtime_bridge.webhooks.call.attempt import Caller
from realtime_bridge.webhooks.places import REQUESTS
from realtime_bridge.webhooks.queue.endpoints import Endpoints
from realtime_bridge.webhooks.sender import WebhookSender
from tests.bench.bench_webhooks import POLICY


async def run() -> None:
    box = SecretBox.from_env(Environment(os.environ))
    assert box is not None
    pool = database.pool(os.environ["DATABASE_URL"], name="bench", size=6)
    await pool.open()
    caller = Caller(POLICY, connections=REQUESTS)
    sender = WebhookSender(pool=pool, endpoints=Endpoints(box), calls=caller)
    print("ready", flush=True)  # noqa: T201 the bench waits for it
    await asyncio.to_thread(sys.stdin.readline)
    running = asyncio.create_task(sender.run())
    try:
        await asyncio.to_thread(sys.stdin.read)
    finally:
        sender.stop()
        await running
        await caller.close()
        await pool.close()


if __name__ == "__main__":
    memory.collect_less()
    asyncio.run(run())
