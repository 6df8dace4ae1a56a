"""The sink `webhooks`: one delivery for each endpoint that wants an event. Driven by the relay; sends nothing itself.

Runs in the transaction that moves the cursor, so an event has its deliveries once and exactly. The senders (webhooks/)
carry them out.
"""

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from realtime_bridge.event_log.event import Event
from realtime_bridge.relay.interest import Interest
from realtime_bridge.relay.sink import Delivery
from realtime_bridge.shared import sql

_QUERIES = sql.AsyncQueries(__file__)


class WebhookSink:
    name = "webhooks"
    transactional = True

    def __init__(self) -> None:
        self.interest = Interest()

    def resume(self) -> None:
        """Deliveries wait in the database: there is nobody to wait for."""

    async def deliver(self, events: Sequence[Event], connection: AsyncConnection[Any] | None) -> Delivery:
        """Insert the deliveries of `events` for all endpoints in one statement, and say that they are due.

        The queues are locked first, against a sender that just now finds one of them empty: see deliveries.sql.
        """
        if connection is None:
            raise TypeError("This sink writes through the relay's transaction.")
        accounts = list({event.account_id for event in events})
        queues = await _QUERIES.list_rows(connection, "lock_queues", tuple_row, accounts=accounts)
        webhook_ids = [webhook_id for webhook_id, _ in queues]
        self.interest.learn(accounts, (account_id for _, account_id in queues))
        if webhook_ids:
            columns: dict[str, list[Any]] = {
                "log_ids": [event.id for event in events],
                "logged_at": [event.created_at for event in events],
                "event_ids": [event.event_id for event in events],
                "account_ids": [event.account_id for event in events],
                "conversation_ids": [event.conversation_id for event in events],
                "seqs": [event.seq for event in events],
                "types": [event.type for event in events],
                "directions": [event.payload.get("direction") for event in events],
            }
            await _QUERIES.run(connection, "fan_out", **columns, webhook_ids=webhook_ids)
            await _QUERIES.run(connection, "announce", webhook_ids=webhook_ids)
        return Delivery(settled=len(events))
