"""Alembic's entry: runs the versions against DATABASE_URL. Called by `crossfade migrate` and by `alembic`."""

import os

from alembic import context
from sqlalchemy import Connection, create_engine, pool, text

from migrations import lock, repair, sql


def run(url: str) -> None:
    wait_s = context.config.attributes.get("wait_s", lock.WAIT_S)
    say = context.config.attributes.get("say", _say_nothing)
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=pool.NullPool)
    with engine.connect() as connection:
        # Work may take as long as it takes, also where the server ends what its clients ask after two minutes.
        connection.execute(text(f"set statement_timeout = 0; set lock_timeout = '{sql.LOCK_TIMEOUT}'"))
        connection.commit()
        lock.take(connection, wait_s, say)  # until this connection ends
        connection.execute(text("create schema if not exists crossfade"))
        connection.commit()
        # The version table stays out of `public`, which Supabase serves to the internet.
        context.configure(connection=connection, version_table="schema_version", version_table_schema="crossfade")
        before = _version(connection)
        with context.begin_transaction():
            context.run_migrations()
        context.config.attributes["step"] = (before, _version(connection))
        repair.rebuild_indexes(connection, say)


def _version(connection: Connection) -> str | None:
    """Return the version that is there; no transaction stays open, for indexes are built outside of one."""
    found = context.get_context().get_current_revision()
    connection.commit()
    return found


def _say_nothing(_: str) -> None: ...


run(context.config.get_main_option("sqlalchemy.url") or os.environ["DATABASE_URL"])
