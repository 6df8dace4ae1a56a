"""Statements of migrations, run as written. Long work without locks that keep writers out."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import LiteralString

from alembic import op
from sqlalchemy import text

LOCK_TIMEOUT = "5s"  # a migration that cannot get its lock gives up instead of queueing every writer behind it
BATCH_ROWS = 10_000  # some hundred milliseconds: how long a row may be locked by a backfill


def run(script: str) -> None:
    """Execute `script`; a colon in it is a colon, not SQLAlchemy's mark of a parameter."""
    op.execute(text(script.replace(":", "\\:")))


def run_in_batches(table: LiteralString, statement: LiteralString) -> None:
    """Run `statement` for every `%(after)s < id <= %(upto)s` of the table, each batch committed by itself."""
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        last = connection.exec_driver_sql(f"select coalesce(max(id), 0) from {table}").scalar_one()
        for after in range(0, last, BATCH_ROWS):
            connection.exec_driver_sql(statement, {"after": after, "upto": after + BATCH_ROWS})


@contextmanager
def outlasting_transactions() -> Iterator[None]:
    """Outside of a transaction, wait for every older one: working concurrently has to, and queues no writer behind it.

    It waits through locks. What fails within ends the session, so that only success has a timeout to put back.
    """
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        bound = connection.exec_driver_sql("select current_setting('lock_timeout')").scalar_one()
        run("set lock_timeout = 0")
        yield
        connection.exec_driver_sql("select set_config('lock_timeout', %(bound)s, false)", {"bound": bound})


def create_indexes(indexes: Mapping[LiteralString, LiteralString]) -> None:
    """Build each index (name: what it is on) concurrently; what an interrupted run left half built is built again."""
    with outlasting_transactions():
        for name, target in indexes.items():
            run(f"drop index concurrently if exists public.{name}")
            run(f"create index concurrently {name} on {target}")


def drop_indexes(names: Iterable[LiteralString]) -> None:
    with outlasting_transactions():
        for name in names:
            run(f"drop index concurrently if exists public.{name}")
