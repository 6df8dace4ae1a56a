"""What every command prints: JSON in camelCase, and tables that cut nothing, on a database with something in it."""

import asyncio
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import click
import psycopg
import pytest
from click.testing import CliRunner
from psycopg.rows import DictRow
from rich.console import Console

from ops.cli.main import COMMANDS, main
from ops.demo.tracker import Arrival, SideName, Tracker
from ops.demo.view import JsonView, LineView
from ops.terminal.output import Column, encode, show
from realtime_bridge.webhooks.contract.outcomes import Outcome
from tests.factories import append_message, make_conversation, make_user, make_webhook
from tests.fakes import RecordingSink
from tests.integration.rollout.operator import KEEPER
from tests.integration.rollout.stages import FLAG, put_slots, put_stage
from tests.integration.webhooks.conftest import BOX, webhooks
from tests.relays import held_relay
from tests.servers.receivers import receiver, status

CAMEL = re.compile(r"[a-z]+[0-9]*([A-Z0-9][a-z0-9]*)*")
WIDTH = 80
# Every command that answers, with words that make it do something; in this order, for some use what others have made.
LINES = {
    "version": "",
    "migrate": "",
    "keys create": "--account {account} --name crm",
    "keys list": "",
    "keys revoke": "{key}",
    "users allow": "{user} --account {account}",
    "users list": "--account {account}",
    "users forbid": "{user} --account {account}",
    "users scope": "listed",
    "users evict": "{user}",
    "accounts show": "{account}",
    "accounts set": "{account} --content-html on",
    "relay status": "",
    "relay parked": "",
    "relay replay": "--all",
    "webhooks list": "",
    "webhooks attempts": "{webhook}",
    "webhooks retry": "{webhook}",
    "webhooks replay": "{webhook} {event}",
    "webhooks recover": "{webhook} --since 1h",
    "webhooks pause": "{webhook}",
    "webhooks resume": "{webhook}",
    "webhooks enable": "{webhook}",
    "webhooks listen": "--forward-to http://127.0.0.1:9 --account {account} --after 0 --count 1",
    "rollout policy": "",
    "rollout status": "",
    "rollout gate": "",
    "rollout left": "",
    "rollout bucket": "{user}",
    "rollout override add": "user {user} supabase --why because",
    "rollout override list": "",
    "rollout override remove": "user {user}",
    "rollout plan": "25:1h 50 --why because",
    "rollout advance": "--force --why because",
    "rollout set": "off --why because",
    "rollout approve": "--off --why because",
    "rollout rollback": "",
    "rollout audit": "",
    "operators add": "alice",
    "operators list": "",
    "operators revoke": "alice --without-key --why because",
    "parity watch": "--times 1",
    "parity report": "",
    "seed": "--conversations 1 --messages 1 --account {account}",
}
# These need processes; their lines are looked at below, in test_users_command.py and in tests/acceptance.
STACKS = {"up", "demo", "supabase start", "users create"}
# A command whose answer is a table: what must stand in it whole.
TABLES = {
    "keys list": "{key}",
    "relay status": "legacy",
    "relay parked": "{event}",
    "webhooks list": "{account}",
    "webhooks attempts": "{event}",
    "rollout gate": "legacy",
    "rollout left": "{user}",
    "rollout override list": "{user}",
    "rollout audit": "somebody-with-a-long-login@a-machine-with-a-long-name",
    "parity report": "supabase",
    "parity watch": "supabase",
}


def leaves(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from leaves(found, f"{path} {name}".strip())
    else:
        yield path, command


@pytest.fixture
def facts(database_url: str, conn: psycopg.Connection[DictRow]) -> dict[str, str]:
    """Something of everything; returns the words that `LINES` names."""
    account, user = make_user(conn), make_user(conn)
    put_stage(conn, "10")
    put_slots(conn)
    conn.execute(KEEPER, (FLAG,))
    conn.execute("insert into legacy_listeners (user_id, bridge, sockets) values (%s, 'a bridge', 0)", (user,))
    conn.execute(
        "insert into rollout_audit (flag, actor, action, why, to_stage, version) values (%s, %s, 'set', 'x', '10', 1)",
        (FLAG, TABLES["rollout audit"]),
    )
    conn.execute(
        "insert into rollout_overrides (flag, kind, subject, provider, why, created_by)"
        " values (%s, 'user', %s, 'supabase', 'a tester of ours', %s)",
        (FLAG, user, TABLES["rollout audit"]),
    )

    async def deliver() -> tuple[int, str]:
        async with receiver() as told, webhooks(database_url) as hooks:
            told.answers["/"] = status(404)
            webhook_id = make_webhook(conn, account, told.url, BOX)
            append_message(conn, make_conversation(conn, account))
            await hooks.deliver()
            sink = RecordingSink()
            sink.refuses = lambda _: True
            async with held_relay(database_url, sink) as relay:
                await relay.run_once()
            return webhook_id, told.received[0].headers["webhook-id"]

    webhook, event = asyncio.run(deliver())
    facts = {"account": str(account), "user": str(user), "webhook": str(webhook), "event": event}
    created = crossfade(database_url, f"keys create --account {account} --name {'n' * 60} --json")
    return facts | {"key": json.loads(created)["id"]}


def crossfade(database_url: str, line: str) -> str:
    environment = {"DATABASE_URL": database_url, "COLUMNS": str(WIDTH)}
    result = CliRunner().invoke(main, line.split(), env=environment)
    assert result.exit_code == 0, (line, result.output)
    return result.stdout


def names(document: Any) -> Iterator[str]:
    """Every field name of a JSON document; the headers of a receiver's answer are not ours."""
    if isinstance(document, dict):
        yield from document
        for name, value in document.items():
            yield from () if name == "headers" else names(value)
    if isinstance(document, list):
        for value in document:
            yield from names(value)


def test_every_command_speaks_json() -> None:
    """There is none without `--json`, and none that the two tests below leave out."""
    found = dict(leaves(main))
    assert {path.split()[0] for path in found} == set(COMMANDS)
    assert [path for path, command in found.items() if "--json" not in [*_options(command)]] == []
    assert set(found) == set(LINES) | STACKS


def _options(command: click.Command) -> Iterator[str]:
    for parameter in command.params:
        yield from parameter.opts


def test_json_is_camel_case_everywhere(database_url: str, facts: dict[str, str]) -> None:
    """Whatever a command answers, its fields are written as those of the API are."""
    for path, words in LINES.items():
        output = crossfade(database_url, f"{path} {words.format(**facts)} --json")
        assert output.strip(), path
        for line in output.splitlines():
            wrong = {name for name in names(json.loads(line)) if not CAMEL.fullmatch(name)}
            assert wrong == set(), (path, wrong)


def test_no_table_is_cut_at_80_columns(database_url: str, facts: dict[str, str]) -> None:
    """What one has to copy stands whole on one line, in a table or, where none fits, in a paragraph for each row."""
    for path, whole in TABLES.items():
        table = crossfade(database_url, f"{path} {LINES[path].format(**facts)}")
        assert "…" not in table, table
        assert whole.format(**facts) in table, table
        assert max(len(line) for line in table.splitlines() if "─" in line or "│" in line or not line) <= WIDTH, table


def test_a_wide_row_becomes_a_paragraph(capsys: pytest.CaptureFixture[str]) -> None:
    """Each field on a line, with its heading; a value longer than the line is folded, and nothing of it is lost."""
    address = "https://example.com/" + "a" * 100
    columns = [Column("id", "id"), Column("url", "url"), Column("took, ms", "took_ms")]
    show([{"id": 7, "url": address, "took_ms": 3}], columns, as_json=False)
    printed = capsys.readouterr().out
    assert printed.startswith("id        7")
    assert "".join(printed.split()) == f"id7url{address}took,ms3"


@pytest.mark.parametrize("width", range(24, 100, 4))
def test_no_word_of_a_table_is_broken(width: int) -> None:
    """However narrow: what fits no table is a paragraph, and what fits one is not folded inside of a word."""
    columns = [Column("side", "side"), Column("reordered", "n", right=True), Column("last error", "error")]
    rows = [{"side": "supabase", "n": 17, "error": "the other side is on fire and says so at length"}]
    paper = io.StringIO()
    show(rows, columns, as_json=False, console=Console(width=width, file=paper, color_system=None))
    printed = paper.getvalue()
    assert max(len(line) for line in printed.splitlines()) <= width
    words = set(re.findall(r"[\w,]+", printed))
    assert {"supabase", "reordered", "17", "length"} <= words, printed


def test_what_is_no_field_keeps_its_name() -> None:
    """Words of ours as values, types and ids as names stay as they are; only names of fields are turned."""
    document = {"last_error": Outcome.CLIENT_ERROR, "message.new": 1, "byProvider": {"socketio": 2}}
    assert json.loads(encode(document)) == {
        "lastError": "client_error",
        "message.new": 1,
        "byProvider": {"socketio": 2},
    }


def test_the_demo_speaks_camel_case(capsys: pytest.CaptureFixture[str]) -> None:
    """Each arrival, the note that it watches, and the summary."""
    tracker = Tracker()
    tracker.note_sent("one", 1, 0.0)
    view = JsonView(tracker)
    side = next(iter(SideName))
    arrival: Arrival = tracker.note_arrival(side, event_id="one", seq=1, content="x", created_at=0.0, now=0.1)
    view.show(arrival)
    view.show_watching(1)
    view.show_summary()
    for line in capsys.readouterr().out.splitlines():
        assert {name for name in names(json.loads(line)) if not CAMEL.fullmatch(name)} == set()


def test_a_watch_in_a_pipe_shows_every_look(database_url: str) -> None:
    """Each on lines of its own, the last one ended like the others; on a terminal they replace each other."""
    environment = {"DATABASE_URL": database_url, "CROSSFADE_DATA_DIR": "", "COLUMNS": "200"}
    words = ["parity", "watch", "--times", "3", "--every", "0.2"]
    output = CliRunner().invoke(main, words, env=environment).stdout
    assert output.count("last 60 s") == 3
    assert output.endswith("\n")


def test_the_summary_of_a_demo_in_a_pipe_is_not_wrapped() -> None:
    """A side is a line, however long."""
    tracker = Tracker()
    for number in range(3):
        tracker.note_sent(str(number), number, 0.0)
        tracker.note_arrival(SideName.SUPABASE, event_id=str(number), seq=number, content="", created_at=0, now=1e6)
    file = io.StringIO()
    LineView(tracker, Console(file=file, width=40)).show_summary()
    assert [line.partition(":")[0] for line in file.getvalue().splitlines()] == ["Supabase Realtime", "Socket.IO"]
