"""The sink `wuzapi`: puts messages for WhatsApp into the senders' queue. Driven by the relay, whatever sides are fed.

It writes to our own database only, in the transaction that moves the cursor: a message is queued once. What happens on
the way to a phone is the senders' business, so one account's dead server delays nobody's log.
"""

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from realtime_bridge.event_log.event import Event, EventType
from realtime_bridge.relay.interest import Interest
from realtime_bridge.relay.sink import Delivery
from realtime_bridge.wuzapi import queue
from realtime_bridge.wuzapi.channels import ORIGIN

NOT_OURS = frozenset({ORIGIN, "import"})  # came from the phone itself; history, however it was written down


class WuzapiSink:
    name = "wuzapi"
    transactional = True

    def __init__(self) -> None:
        self.interest = Interest()

    def resume(self) -> None:
        """Nobody listens here who would have to come back first."""

    async def deliver(self, events: Sequence[Event], connection: AsyncConnection[Any] | None) -> Delivery:
        """Queue what is to be sent; everything else is none of its business, and settled."""
        if connection is None:
            raise AssertionError("a transactional sink is given the relay's connection")
        outgoing = [event for event in events if is_to_be_sent(event)]
        if outgoing:
            queued = set(await queue.append(connection, outgoing))
            concerned = {event.account_id for event in outgoing if event.payload["id"] in queued}
            self.interest.learn({event.account_id for event in outgoing}, concerned)
        return Delivery(settled=len(events))


def is_to_be_sent(event: Event) -> bool:
    """A new outgoing message of ours that waits: not one that came from a phone, and not imported history."""
    return (
        event.type == EventType.MESSAGE_NEW
        and event.origin not in NOT_OURS
        and event.payload["direction"] == "outgoing"
        and event.payload["status"] == "pending"
    )
