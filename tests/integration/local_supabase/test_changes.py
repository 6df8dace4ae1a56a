"""postgres_changes beyond the recordings: odd tables, odd types, schemas that change while somebody listens."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg

from tests.integration.local_supabase.serving import join, read_until, serving, socket_to, token

LONG = "x" * 20_000  # stored out of line, so an update of another column does not repeat it in the log


class Watcher:
    """A client that subscribes to a table and reads its changes."""

    def __init__(self, connection: Any, url: str) -> None:
        self._connection = connection
        self._url = url

    async def watch(self, **binding: Any) -> None:
        reply = await join(
            self._connection, "changes", postgres_changes=[{"event": "*", "schema": "public", **binding}]
        )
        assert reply["status"] == "ok"
        frame = await read_until(self._connection, lambda frame: frame[3] == "system")
        assert frame[4]["status"] == "ok", frame[4]

    async def execute(self, *statements: str) -> None:
        await asyncio.to_thread(run, self._url, *statements)

    async def next(self) -> Any:
        frame = await read_until(self._connection, lambda frame: frame[3] == "postgres_changes")
        return frame[4]["data"]


def run(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def watching(url: str, play: Callable[[Watcher], Awaitable[None]], key: str | None = None) -> None:
    async def bounded() -> None:
        async with serving(url) as endpoint, socket_to(endpoint, key) as connection:
            await play(Watcher(connection, url))

    asyncio.run(asyncio.wait_for(bounded(), 60))


def make(url: str, table: str, columns: str, extra: str = "") -> None:
    run(
        url,
        f"create table public.{table} ({columns}) {extra}",
        f"grant select on public.{table} to anon, authenticated",
        f"alter publication supabase_realtime add table public.{table}",
    )


def test_a_long_value_that_did_not_change_is_left_out(project_url: str) -> None:
    """The log does not repeat it; with replica identity full it comes from the old row."""
    make(project_url, "long_values", "id int primary key, note text, body text")
    run(project_url, "alter table public.long_values alter body set storage external")

    async def play(watcher: Watcher) -> None:
        await watcher.watch(table="long_values")
        await watcher.execute(f"insert into public.long_values values (1, 'a', '{LONG}')")
        assert (await watcher.next())["record"]["body"] == LONG
        await watcher.execute("update public.long_values set note = 'b' where id = 1")
        assert (await watcher.next())["record"] == {"id": 1, "note": "b"}
        await watcher.execute("alter table public.long_values replica identity full")
        await watcher.execute("update public.long_values set note = 'c' where id = 1")
        assert (await watcher.next())["record"] == {"id": 1, "note": "c", "body": LONG}

    watching(project_url, play)


def test_types_of_ones_own_keep_their_values(project_url: str) -> None:
    """Enums, domains, composites, ranges, infinity; char(n) and bit(n) lose all but one, as on the real server."""
    run(
        project_url,
        "create type public.mood as enum ('calm', 'angry')",
        "create domain public.positive as int check (value > 0)",
        "create type public.point3 as (x int, y int)",
    )
    columns = "id bigint primary key, m mood, p positive, c char(5), b bit(3), r int4range, d date, f float8, t point3"
    make(project_url, "odd_types", columns)

    async def play(watcher: Watcher) -> None:
        await watcher.watch(table="odd_types", filter="m=eq.calm")
        await watcher.execute(
            "insert into public.odd_types values (1, 'angry', 1, 'x', '101', '[1,5)', 'infinity', 'Infinity', (1, 2))",
            "insert into public.odd_types values (2, 'calm', 7, 'ab', '101', '[1,5)', '2026-01-02', -0.5, (1, 2))",
        )
        data = await watcher.next()
        assert data["record"] == {
            "id": 2,
            "m": "calm",
            "p": 7,
            "c": "a",
            "b": "1",
            "r": "[1,5)",
            "d": "2026-01-02",
            "f": -0.5,
            "t": {"x": 1, "y": 2},
        }
        assert [column["type"] for column in data["columns"]] == [
            "int8", "mood", "positive", "bpchar", "bit", "int4range", "date", "float8", "point3",
        ]  # fmt: skip

    watching(project_url, play)


def test_columns_may_come_and_go_while_somebody_listens(project_url: str) -> None:
    """The next change is described anew."""
    make(project_url, "changing", "id int primary key, a text")

    async def play(watcher: Watcher) -> None:
        await watcher.watch(table="changing")
        await watcher.execute("insert into public.changing values (1, 'x')")
        assert (await watcher.next())["record"] == {"id": 1, "a": "x"}
        await watcher.execute(
            "alter table public.changing add b int default 5, drop a",
            "insert into public.changing values (2, 6)",
        )
        data = await watcher.next()
        assert data["record"] == {"id": 2, "b": 6}
        assert [column["name"] for column in data["columns"]] == ["id", "b"]

    watching(project_url, play)


def test_row_level_security_that_is_switched_on_later_counts(project_url: str) -> None:
    """From the next change on the policies decide, for each subscriber by their own claims."""
    make(project_url, "guarded", "id int primary key, owner uuid")
    mine = "11111111-1111-4111-8111-111111111111"

    async def play(watcher: Watcher) -> None:
        await watcher.watch(table="guarded")
        await watcher.execute("insert into public.guarded values (1, null)")
        assert (await watcher.next())["record"]["id"] == 1
        await watcher.execute(
            "alter table public.guarded enable row level security",
            "create policy own on public.guarded for select to authenticated using (owner = auth.uid())",
            "insert into public.guarded values (2, null)",
            f"insert into public.guarded values (3, '{mine}')",
        )
        assert (await watcher.next())["record"]["id"] == 3

    watching(project_url, play, token("authenticated", sub=mine))


def test_a_key_of_several_columns_finds_its_row(project_url: str) -> None:
    """The policy is asked about the row with all parts of the key; deletes carry all of them."""
    make(project_url, "pairs", "a int, b text, v text, primary key (b, a)")
    run(
        project_url,
        "alter table public.pairs enable row level security",
        "create policy even on public.pairs for select to anon using (a % 2 = 0)",
    )

    async def play(watcher: Watcher) -> None:
        await watcher.watch(table="pairs")
        await watcher.execute("insert into public.pairs values (1, 'x''y', 'no'), (2, 'x''y', 'yes')")
        assert (await watcher.next())["record"] == {"a": 2, "b": "x'y", "v": "yes"}
        await watcher.execute("delete from public.pairs where a = 2")
        assert (await watcher.next())["old_record"] == {"a": 2, "b": "x'y"}

    watching(project_url, play)


def test_filters_that_negate_and_match_patterns(project_url: str) -> None:
    """not., in, like, match, is and isdistinct, on one table."""
    make(project_url, "filtered", "id int primary key, label text, done boolean")
    wanted = "id=not.in.(1,2),label=match.^a.c$,done=is.true"

    async def play(watcher: Watcher) -> None:
        await watcher.watch(table="filtered", filter=wanted)
        await watcher.execute(
            "insert into public.filtered values (1, 'abc', true), (3, 'xabc', true), (4, 'abc', false)",
            "insert into public.filtered values (5, 'abc', null), (6, null, true), (7, 'abc', true)",
        )
        assert (await watcher.next())["record"]["id"] == 7

    watching(project_url, play)


def test_partitions_of_a_published_table_are_heard(project_url: str) -> None:
    """Each change names the partition it happened in, as the log does."""
    make(project_url, "measured", "id int, at date, primary key (id, at)", "partition by range (at)")
    run(
        project_url,
        "create table public.measured_2026 partition of public.measured"
        " for values from ('2026-01-01') to ('2027-01-01')",
        "grant select on public.measured_2026 to anon",
    )

    async def play(watcher: Watcher) -> None:
        await watcher.watch(table="*")
        await watcher.execute("insert into public.measured values (1, '2026-05-05')")
        data = await watcher.next()
        assert (data["table"], data["record"]) == ("measured_2026", {"id": 1, "at": "2026-05-05"})

    watching(project_url, play)
