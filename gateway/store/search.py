"""Full-text search in `chat_messages`, within one account. Called by services/messages.py."""

from uuid import UUID

from psycopg.rows import class_row

from gateway.database import Connection
from gateway.domain.messages import SearchFilter
from gateway.domain.pages import TOP, Listed, Page, Position, page_of
from realtime_bridge.shared import sql

WALK = 500  # messages looked at before the index is: some four milliseconds; a word in every 25th fills a page

_SQL = sql.Queries(__file__)


def search_messages(
    connection: Connection, account_id: UUID, chosen: SearchFilter, *, limit: int, after: Position | None
) -> Page:
    """Return a page of messages that have all the words.

    Not prepared: the best way to a frequent word is not the best way to a rare one.
    """
    *whole, beginning = chosen.words.split()
    values = {
        "account_id": account_id,
        "words": as_tsquery(chosen.words),
        "whole": whole,
        "beginning": beginning,
        "conversation_id": chosen.conversation_id,
        "before_id": (after or TOP).id,
        "fetch": limit + 1,
        "walk": WALK,
    }
    with connection.cursor(row_factory=class_row(Listed)) as cursor:
        return page_of(cursor.execute(_SQL["search_messages"], values, prepare=False).fetchall(), limit)


def as_tsquery(words: str) -> str:
    """Return the text of a tsquery: every word, the last one as the beginning of a word.

    Words go in quotes, where to_tsquery cuts them as it cut the content; within them two characters mean something.
    """
    quoted = ["'{}'".format(word.replace("\\", "\\\\").replace("'", "''")) for word in words.split()]
    return " & ".join(quoted) + ":*"
