"""The queue of deliveries in Postgres: claim, renew, give back. Called by the sender; knows nothing of HTTP.

A claim is a lease with a fence: the row's `next_at` moves to the lease's end and its `fence` goes up. Settling changes
a row only while its fence is the claim's own. A sender that dies leaves rows that come back when the lease ends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from realtime_bridge.shared import sql
from realtime_bridge.webhooks.contract.health import SINGLE_AFTER
from realtime_bridge.webhooks.queue.bodies import Bodies

_QUERIES = sql.AsyncQueries(__file__)
ENDPOINTS_PER_CLAIM = 100  # a claim stays a statement of milliseconds however many endpoints have work
WINDOW = 1_000  # of what is due, looked at by each claim: 2 ms, and mostly it is all there is
AGAIN_S = 0.1  # an endpoint with due work that cannot be claimed now is asked again after this


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A delivery that this sender may carry out until its lease ends."""

    id: int
    logged_at: datetime
    webhook_id: int
    account_id: str
    """As text: it is looked up some ten times a delivery, and Python's UUIDs are slow to."""
    event_id: str
    type: str
    lane: int
    fifo: bool
    replay: bool
    attempts: int
    fence: int
    log_id: int | None
    conversation_id: int | None
    max_in_flight: int
    body: bytes | None = None
    """The request's body, the same on every attempt; None when the log no longer holds the event."""

    @property
    def claim(self) -> tuple[int, int]:
        """Names this claim: the same delivery may be claimed again, under another fence."""
        return self.id, self.fence


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How much more one account may have in hand: in all, and of these from the late lane."""

    slots: int
    late_slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How much a sender can take: in all, of these from the late lane, by account, and which endpoints have enough."""

    slots: int
    late_slots: int
    newcomer: Share
    """Of an account that has nothing in hand; the others are in `shares`."""
    shares: Mapping[str, Share] = field(default_factory=dict)
    full: Sequence[int] = ()


async def claim(connection: AsyncConnection[Any], room: Room, lease_s: float, bodies: Bodies) -> list[Claimed]:
    """Claim up to `room.slots` due deliveries, spread over the accounts and endpoints that have some."""
    async with connection.transaction():
        webhook_ids = await _lock_due(connection, room)
        if not webhook_ids:
            return []
        rows = await _QUERIES.list_rows(connection, "claim", dict_row, **_values(room, webhook_ids, lease_s))
        claimed = [row for row in rows if row["id"] is not None]
        if len(claimed) < room.slots:
            emptied = list({row["webhook_id"] for row in rows if row["is_emptied"]})
            if emptied and (locked := await _QUERIES.list_values(connection, "lock_empty", webhook_ids=emptied)):
                await _QUERIES.run(connection, "rest_empty", webhook_ids=locked, again_s=AGAIN_S)
    return await _with_bodies(connection, claimed, bodies)


async def _lock_due(connection: AsyncConnection[Any], room: Room) -> list[int]:
    values = {
        "full": list(room.full),
        "full_accounts": [account_id for account_id, share in room.shares.items() if share.slots <= 0],
        "endpoints": ENDPOINTS_PER_CLAIM,
        "window": WINDOW,
    }
    return await _QUERIES.list_values(connection, "lock_due", **values)


def _values(room: Room, webhook_ids: Sequence[int], lease_s: float) -> dict[str, Any]:
    return {
        "webhook_ids": webhook_ids,
        "limit": room.slots,
        "late_limit": room.late_slots,
        "accounts": list(room.shares),
        "account_slots": [share.slots for share in room.shares.values()],
        "account_late_slots": [share.late_slots for share in room.shares.values()],
        "newcomer_slots": room.newcomer.slots,
        "newcomer_late_slots": room.newcomer.late_slots,
        "lease_s": lease_s,
        "single_after": SINGLE_AFTER,
    }


async def hold_conversations(connection: AsyncConnection[Any], held: Sequence[tuple[int, int, float]]) -> None:
    """Let what follows failed heads of FIFO conversations wait as long as these: (webhook, conversation, seconds)."""
    webhook_ids, conversation_ids, delays = map(list, zip(*held, strict=True))
    values = {"webhook_ids": webhook_ids, "conversation_ids": conversation_ids, "delays": delays}
    await _QUERIES.run(connection, "hold_conversations", **values)


async def renew(connection: AsyncConnection[Any], claimed: Sequence[Claimed], lease_s: float) -> None:
    """Keep claims that are still held for another lease."""
    await _QUERIES.run(connection, "renew", **_names(claimed), lease_s=lease_s)


async def release(connection: AsyncConnection[Any], claimed: Sequence[Claimed]) -> None:
    """Give back what was claimed and not sent."""
    await _QUERIES.run(connection, "release", **_names(claimed))


def _names(claimed: Sequence[Claimed]) -> dict[str, list[Any]]:
    return {
        "ids": [one.id for one in claimed],
        "logged_at": [one.logged_at for one in claimed],
        "fences": [one.fence for one in claimed],
    }


async def _with_bodies(
    connection: AsyncConnection[Any], rows: Sequence[dict[str, Any]], bodies: Bodies
) -> list[Claimed]:
    logged = [(row["log_id"], row["logged_at"]) for row in rows if row["own_body"] is None and row["log_id"]]
    found = await bodies.load(connection, logged) if logged else {}
    claimed = []
    for row in rows:
        own_body, _ = row.pop("own_body"), row.pop("is_emptied")
        body = own_body.encode() if own_body else Bodies.named(found.get(row["log_id"]), row["type"])
        claimed.append(Claimed(**row, body=body))
    return claimed
