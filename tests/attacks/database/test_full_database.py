"""Attack: fill the disk of the database. The probe says that it takes no writes."""

from typing import LiteralString

import psycopg
import pytest
from psycopg.rows import DictRow

from gateway.app import create_app
from gateway.process.runtime import running
from gateway.settings import Settings
from tests.conftest import one

READ_ONLY = (  # what Supabase does with a project that runs full
    "alter role postgres set default_transaction_read_only = on",
    "alter role postgres reset default_transaction_read_only",
)
NO_ROOM = (  # what Postgres answers when there is no room for another page
    """
    create function public.no_room() returns trigger language plpgsql as $$
    begin raise 'could not extend file: No space left on device' using errcode = 'disk_full'; end $$;
    create trigger no_room before insert on crossfade.write_probe execute function public.no_room()
    """,
    "drop function if exists public.no_room() cascade",
)


@pytest.mark.parametrize(("fails", "heals"), [READ_ONLY, NO_ROOM])
def test_a_database_that_takes_no_writes_is_not_ready(
    settings: Settings, conn: psycopg.Connection[DictRow], fails: LiteralString, heals: LiteralString
) -> None:
    """The database answers; `/readyz` tries what a message needs, and what it wrote is gone again."""
    conn.execute("set default_transaction_read_only = off")
    conn.execute(fails)
    try:
        assert _ready(settings) == (503, "ok", "down")
    finally:
        conn.execute(heals)
    assert _ready(settings) == (200, "ok", "ok")
    assert one(conn, "select count(*) as n from crossfade.write_probe")["n"] == 0


def _ready(settings: Settings) -> tuple[int, str, str]:
    with running(create_app(settings)) as fresh:
        answer = fresh.test_client().get("/readyz")
        document = answer.get_json()
        return answer.status_code, document["database"], document["writes"]
