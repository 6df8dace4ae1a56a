"""postgres_changes while the table is renamed, its rights change, or somebody else's subscription is a bad one."""

import asyncio
from typing import Any

import pytest

from tests.integration.local_supabase.serving import join, read_until, serving, socket_to
from tests.integration.local_supabase.test_changes import Watcher, make, run, watching

UNAUTHORIZED = ["Error 401: Unauthorized"]


def test_a_renamed_table_is_heard_under_its_new_name(project_url: str) -> None:
    """A subscription is to the table, not to its name."""
    make(project_url, "before_rename", "id int primary key, a text")

    async def play(watcher: Watcher) -> None:
        await watcher.watch(table="before_rename")
        await watcher.execute(
            "alter table public.before_rename rename to after_rename",
            "insert into public.after_rename values (1, 'x')",
        )
        data = await watcher.next()
        assert (data["table"], data["record"]) == ("after_rename", {"id": 1, "a": "x"})

    watching(project_url, play)


def test_a_renamed_column_comes_under_its_new_name(project_url: str) -> None:
    """Subscribers without a filter on it go on."""
    make(project_url, "column_rename", "id int primary key, a text")

    async def play(watcher: Watcher) -> None:
        await watcher.watch(table="column_rename", filter="id=gt.0")
        await watcher.execute("insert into public.column_rename values (1, 'x')")
        assert (await watcher.next())["record"] == {"id": 1, "a": "x"}
        await watcher.execute(
            "alter table public.column_rename rename a to b", "insert into public.column_rename values (2, 'y')"
        )
        assert (await watcher.next())["record"] == {"id": 2, "b": "y"}

    watching(project_url, play)


@pytest.mark.parametrize("policies", [False, True])
def test_who_lost_the_right_to_read_is_told_so(project_url: str, policies: bool) -> None:
    """An insert comes as an error; a delete, which shows nothing then, still comes."""
    table = f"revoked_{policies}".lower()
    make(project_url, table, "id int primary key, a text")
    if policies:
        run(project_url, f"alter table public.{table} enable row level security")
        run(project_url, f"create policy p on public.{table} for select to anon using (a is not null)")

    async def play(watcher: Watcher) -> None:
        await watcher.watch(table=table)
        await watcher.execute(f"insert into public.{table} values (1, 'x')")
        assert (await watcher.next())["record"] == {"id": 1, "a": "x"}
        await watcher.execute(
            f"revoke select on public.{table} from anon", f"insert into public.{table} values (2, 'y')"
        )
        assert (await watcher.next())["errors"] == UNAUTHORIZED
        await watcher.execute(f"delete from public.{table} where id = 2")
        data = await watcher.next()
        assert (data["type"], data["errors"], data["old_record"]) == ("DELETE", None, {})

    watching(project_url, play)


@pytest.mark.parametrize("policies", [False, True])
def test_rights_on_columns_show_those_columns(project_url: str, policies: bool) -> None:
    """Also with policies that ask for the others."""
    table = f"some_columns_{policies}".lower()
    make(project_url, table, "id int primary key, a text, b text")
    if policies:
        run(project_url, f"alter table public.{table} enable row level security")
        run(project_url, f"create policy p on public.{table} for select to anon using (b is not null)")

    async def play(watcher: Watcher) -> None:
        await watcher.watch(table=table)
        await watcher.execute(
            f"revoke select on public.{table} from anon",
            f"grant select (id, a) on public.{table} to anon",
            f"insert into public.{table} values (1, 'x', 'y')",
        )
        assert (await watcher.next())["record"] == {"id": 1, "a": "x"}
        await watcher.execute(f"update public.{table} set a = 'z'")
        data = await watcher.next()
        assert (data["record"], data["old_record"]) == ({"id": 1, "a": "z"}, {"id": 1})

    watching(project_url, play)


SELECTS: list[tuple[dict[str, Any], str]] = [
    ({"table": "selected", "select": ["nope"]}, "invalid column for select nope"),
    ({"table": "selected", "select": "id"}, "Error parsing `select` params: expected a list of column name strings"),
    ({"table": "*", "select": ["id"]}, "Column selection is not supported for wildcard subscriptions."),
    ({"table": None}, "No subscription params provided."),
    ({"table": "selected", "schema": None}, "No subscription params provided."),
    ({"table": "selected", "filter": "a=match.["}, "invalid regular expression for match filter: "),
    (
        {"table": "selected", "filter": "id=match.1"},
        "operator match requires a text-compatible column type, got integer",
    ),
    ({"table": "selected", "filter": "id=like.1"}, "operator like requires a text-compatible column type, got integer"),
    ({"table": "selected", "filter": "id=is.true"}, "is true filter requires a boolean column, got integer"),
    (
        {"table": "selected", "filter": "a=is.NULL"},
        "invalid value for is filter: must be null, true, false, or unknown",
    ),
    (
        {"table": "selected", "filter": f"id=in.({','.join(map(str, range(101)))})"},
        "too many values for `in` filter. Maximum 100",
    ),
    ({"table": "selected", "filter": "hidden=eq.1"}, "invalid column for filter hidden"),
]


async def refusals(url: str) -> list[str]:
    """Subscribe to each of SELECTS on a channel of its own; return what the server says to them."""
    messages = []
    async with serving(url) as endpoint, socket_to(endpoint) as connection:
        for number, (binding, _) in enumerate(SELECTS):
            await join(connection, f"c{number}", postgres_changes=[{"event": "*", "schema": "public", **binding}])
            frame = await read_until(connection, lambda frame: frame[3] == "system")
            messages.append(f"{frame[4]['status']}: {frame[4]['message']}")
    return messages


@pytest.fixture(scope="module")
def selected(project_url: str) -> str:
    make(project_url, "selected", "id int primary key, a text, hidden int")
    run(
        project_url,
        "revoke select on public.selected from anon",
        "grant select (id, a) on public.selected to anon",
    )
    return project_url


def test_what_cannot_be_delivered_is_refused(selected: str) -> None:
    """At the subscription, in the real server's words: later it could only be lost."""
    messages = asyncio.run(asyncio.wait_for(refusals(selected), 60))
    for (binding, wanted), message in zip(SELECTS, messages, strict=True):
        assert message.startswith("error: "), (binding, message)
        assert wanted in message, (binding, message)


def test_the_primary_key_is_always_selected(selected: str) -> None:
    """Who selects one column gets the key with it."""

    async def play(watcher: Watcher) -> None:
        await watcher.watch(table="selected", select=["a"])
        await watcher.execute("insert into public.selected values (1, 'x', 5)")
        data = await watcher.next()
        assert data["record"] == {"id": 1, "a": "x"}
        assert [column["name"] for column in data["columns"]] == ["id", "a"]
        await watcher.execute("delete from public.selected")
        assert (await watcher.next())["old_record"] == {"id": 1}

    watching(selected, play)


def test_one_filter_that_fails_loses_nobody_elses_change(project_url: str) -> None:
    """A filter that fits when it is made may fail at a row, for example once the column has another type."""
    make(project_url, "retyped", "id int primary key, a text")

    async def play(watcher: Watcher) -> None:
        await watcher.watch(table="retyped", filter="a=eq.x")
        async with serving(project_url) as endpoint, socket_to(endpoint) as bad, socket_to(endpoint) as good:
            for connection, condition in ((bad, "a=eq.x"), (good, "id=gt.0")):
                entry = {"event": "*", "schema": "public", "table": "retyped", "filter": condition}
                await join(connection, "c", postgres_changes=[entry])
                assert (await read_until(connection, lambda frame: frame[3] == "system"))[4]["status"] == "ok"
            await watcher.execute(
                "alter table public.retyped alter a type int using 1", "insert into public.retyped values (1, 2)"
            )
            frame = await read_until(good, lambda frame: frame[3] == "postgres_changes")
            assert frame[4]["data"]["record"] == {"id": 1, "a": 2}

    watching(project_url, play)
