"""Cards: conversations as an old client's list shows them. People by name, the last message, what is unread.

Only reads.

Events do not say all of it, and each says another part. So the list is told how things stand when it is told, whatever
the event: a later event only brings it up to date once more.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg_pool import PoolTimeout

from realtime_bridge.event_log.event import Event, EventType, Family
from realtime_bridge.shared import sql
from realtime_bridge.shared.database import Pool

_QUERIES = sql.AsyncQueries(__file__)


class CardsUnavailable(Exception):
    """The database did not answer; asked again later, it will."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """`conversation` is the payload of its events, as of now; `people` have `id` and `name`."""

    conversation_id: int
    conversation: dict[str, Any]
    people: list[dict[str, str]]
    last_message: dict[str, Any] | None
    is_whatsapp: bool = False
    """Whether the contact writes over a connected number."""
    wants_html: bool = False


def is_listed(event: Event) -> bool:
    """Whether an event shows in the list of conversations, and so needs a card."""
    kind = event.kind
    return kind is EventType.MESSAGE_NEW or (kind is not None and kind.family is Family.CONVERSATION)


class StoredCards:
    """Through the bridge's pool, and apart from what clients ask: their crowd must not hold up the deliveries."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def read_cards(self, conversation_ids: Iterable[int]) -> Mapping[int, Card]:
        """Return the cards by conversation; one that is gone has none. Raises CardsUnavailable."""
        wanted = list(set(conversation_ids))
        if not wanted:
            return {}
        try:
            async with self._pool.connection() as connection:
                return await find_cards(connection, wanted)
        except (psycopg.Error, PoolTimeout, OSError) as error:
            raise CardsUnavailable(f"{type(error).__name__}: {error}".strip()) from None


async def find_cards(connection: AsyncConnection[Any], conversation_ids: list[int]) -> dict[int, Card]:
    cards = await _QUERIES.list_rows(connection, "read_cards", class_row(Card), conversation_ids=conversation_ids)
    return {card.conversation_id: card for card in cards}
