"""Which stack a command works on: `--data-dir`, the variable that stands for it, or DATABASE_URL."""

import importlib
import io
import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg.rows import DictRow
from rich.console import Console

from ops.cli.main import main
from ops.demo.run import Demo
from ops.embedded.ready import DemoUser, Ready, read_ready
from tests.factories import make_user
from tests.integration.ops.test_output import leaves
from tests.integration.rollout.stages import put_stage

VARIABLE = "CROSSFADE_DATA_DIR"
up_module = importlib.import_module("ops.cli.up")


@pytest.fixture
def data_dir(database_url: str, conn: psycopg.Connection[DictRow], tmp_path: Path) -> Path:
    """The directory of a stack, as `up` leaves it while it runs; its name has to be quoted in a shell."""
    directory = tmp_path / "my stack"
    directory.mkdir()
    ready = Ready(
        gateway_url="http://127.0.0.1:1",
        bridge_url="http://127.0.0.1:1",
        metrics_url="http://127.0.0.1:1",
        bridge_metrics_url="http://127.0.0.1:1",
        supabase_url="http://127.0.0.1:1",
        database_url=database_url,
        redis_url="unix:///nowhere",
        api_key="cf_dev_x",
        anon_key="x",
        service_role_key="x",
        jwt_secret="x",
        users=(DemoUser(id=str(make_user(conn)), token="x"),),
        conversation_id=1,
        pids={},
        provider="rollout",
        key_env="dev",
    )
    ready.write(directory)
    return directory


def crossfade(*words: str, **environment: str) -> Result:
    return CliRunner().invoke(main, words, env={"DATABASE_URL": "", VARIABLE: "", "COLUMNS": "250"} | environment)


def test_every_data_dir_has_the_variable() -> None:
    """No command that takes `--data-dir` leaves it out; `supabase start` keeps its own directory inside it."""
    options = [
        (path, parameter)
        for path, command in leaves(main)
        for parameter in command.params
        if "--data-dir" in parameter.opts and path != "supabase start"
    ]
    assert len(options) > 25
    assert [path for path, parameter in options if parameter.envvar != VARIABLE] == []


def test_the_variable_names_the_stack(data_dir: Path) -> None:
    """Also for what only the demo account's owner is needed for; a directory without a stack is said to have none."""
    assert json.loads(crossfade("relay", "status", "--json", **{VARIABLE: str(data_dir)}).stdout)
    seeded = crossfade("seed", "--conversations=1", "--messages=1", "--json", **{VARIABLE: str(data_dir)})
    assert seeded.exit_code == 0, seeded.output
    refused = crossfade("relay", "status", **{VARIABLE: str(data_dir / "nowhere")})
    assert (refused.exit_code, "No stack is running on" in refused.output) == (1, True)


def test_two_databases_are_one_too_many(data_dir: Path, database_url: str) -> None:
    """Whoever exported both is asked which; `--data-dir` on the line says it."""
    both = {VARIABLE: str(data_dir), "DATABASE_URL": database_url}
    refused = crossfade("relay", "status", **both)
    assert refused.exit_code == 1
    assert refused.output.startswith(f"Error: DATABASE_URL and {VARIABLE} are both set")
    assert crossfade("relay", "status", "--data-dir", str(data_dir), **both).exit_code == 0


def test_the_next_command_names_the_stack(data_dir: Path) -> None:
    """What `status` tells to type works as it stands, in the words and in the JSON."""
    told = crossfade("rollout", "status", "--data-dir", str(data_dir))
    assert told.stdout.rstrip().endswith(f" --data-dir '{data_dir}'")
    document = json.loads(crossfade("rollout", "status", "--json", "--data-dir", str(data_dir)).stdout)
    assert document["next"].endswith(f" --data-dir '{data_dir}'")
    assert "--data-dir" not in crossfade("rollout", "status", **{VARIABLE: str(data_dir)}).stdout
    refused = crossfade("webhooks", "attempts", "7", "--data-dir", str(data_dir))
    assert f"crossfade webhooks list --data-dir '{data_dir}' shows the ids" in refused.output


def test_the_demo_names_the_dial(data_dir: Path, conn: psycopg.Connection[DictRow]) -> None:
    """At off and at complete one side gets nothing: said at once, with the command, instead of waiting for it."""
    for stage, words in (("off", "Supabase is not fed: the dial is at off."), ("complete", "Socket.IO is not fed")):
        put_stage(conn, stage)
        refused = crossfade("demo", "--data-dir", str(data_dir))
        assert (refused.exit_code, words in refused.output) == (1, True), refused.output
        assert f"--data-dir '{data_dir}'" in refused.output
    command = refused.output.partition("Type: ")[2]
    turned = crossfade(*shlex.split(command)[1:])
    assert turned.exit_code == 0, turned.output


def test_keys_of_a_development_stack_say_so(
    data_dir: Path, database_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """Made on what `up` runs they begin with cf_dev_; a variable and an option say otherwise; elsewhere it is live."""
    account = ("--account", str(make_user(conn)), "--name", "x")
    made = crossfade("keys", "create", *account, "--data-dir", str(data_dir))
    assert made.stdout.startswith("cf_dev_")
    for words, environment, prefix in (
        ((), {VARIABLE: str(data_dir), "CROSSFADE_ENV": "test"}, "cf_test_"),
        (("--env", "ci"), {VARIABLE: str(data_dir)}, "cf_ci_"),
        ((), {"DATABASE_URL": database_url, "CROSSFADE_ENV": ""}, "cf_live_"),
    ):
        assert crossfade("keys", "create", *account, *words, **environment).stdout.startswith(prefix)
    refused = crossfade("keys", "create", *account, DATABASE_URL=database_url, CROSSFADE_ENV="Live")
    assert (refused.exit_code, "CROSSFADE_ENV must be" in refused.output) == (1, True)


def test_the_banner_says_what_runs(data_dir: Path) -> None:
    """Where the API describes itself, and which side is fed, stand among the facts."""
    text = banner_of(read_ready(data_dir), data_dir)
    assert "http://127.0.0.1:1/docs" in text
    assert "rollout: as the dial says" in text


def test_the_banner_says_where_a_message_arrives(data_dir: Path, conn: psycopg.Connection[DictRow]) -> None:
    """On both sides where both are fed; else on the one that is, why, and what to type, as the other lines have it."""
    put_stage(conn, "off")
    ready = read_ready(data_dir)
    for provider, where, reason in (
        ("dual", "on both sides", ""),
        ("socketio", "on Socket.IO", "Supabase is not fed: CHAT_REALTIME_PROVIDER is socketio."),
        ("supabase", "on Supabase", "Socket.IO is not fed: CHAT_REALTIME_PROVIDER is supabase."),
        ("rollout", "on Socket.IO", "Supabase is not fed: the dial is at off."),
    ):
        text = banner_of(replace(ready, provider=provider), data_dir)
        assert f"Watch it arrive {where}, in another terminal" in text
        assert reason in text
        assert ("both sides, in" in text) is (provider == "dual")
    named = f" --data-dir '{data_dir}'"
    assert f"bin/crossfade rollout status{named}" in text
    assert f"bin/crossfade rollout set shadow --why 'to see both sides'{named}" in text
    put_stage(conn, "shadow")
    assert "Watch it arrive on both sides, in" in banner_of(ready, data_dir)


def test_the_demo_says_how_to_start_anew(data_dir: Path) -> None:
    """A pinned provider is another start of the same stack, and the running one is in its way."""
    replace(read_ready(data_dir), provider="socketio").write(data_dir)
    refused = crossfade("demo", "--data-dir", str(data_dir))
    wanted = f"Stop the running stack, then type: CHAT_REALTIME_PROVIDER=dual ./ops/up --data-dir '{data_dir}'"
    assert wanted in refused.output


def test_a_watch_says_that_the_dial_was_turned(
    data_dir: Path, conn: psycopg.Connection[DictRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A side that fell silent meanwhile is named at the end, with the command; both fed to the end, nothing is said."""
    for later, told in (("off", True), ("shadow", False)):
        put_stage(conn, "shadow")

        async def turned(*_: object, later: str = later, **_named: object) -> None:
            put_stage(conn, later)

        monkeypatch.setattr(Demo, "run", turned)
        watched = crossfade("demo", "--watch", "--data-dir", str(data_dir))
        assert (watched.exit_code, "Supabase is not fed: the dial is at off. Type: " in watched.output) == (0, told)


def banner_of(ready: Ready, data_dir: Path) -> str:
    """Return the banner as `up` prints it for this stack."""
    console = Console(width=400, record=True, file=io.StringIO())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [".venv/bin/crossfade", "up"])
        up_module.show_banner(console, ready, data_dir)
    return console.export_text()


def test_a_stack_that_cannot_be_reached_is_named(data_dir: Path) -> None:
    """By its directory, whose ready.json says where its database is."""
    replace(read_ready(data_dir), database_url="postgresql://u:secret@127.0.0.1:1/x").write(data_dir)
    refused = crossfade("keys", "list", "--data-dir", str(data_dir))
    assert refused.output.startswith(f"Error: The database of the stack on {data_dir} cannot be used: ")
    assert "secret" not in refused.output
