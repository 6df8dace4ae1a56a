"""What the commands of the dial print: whole, with units, again and again, and with the next command to type."""

import json
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.rows import DictRow

from ops.cli.main import main
from tests.factories import make_user
from tests.integration.rollout.operator import KEEPER, Operator
from tests.integration.rollout.stages import FLAG, put_slots, put_stage

LONG = " ".join(["zz"] * 20 + ["z" * 60])  # a hundred of a letter that stands nowhere else


@pytest.fixture
def operator(database_url: str, conn: psycopg.Connection[DictRow]) -> Operator:
    conn.execute(KEEPER, (FLAG,))
    return Operator(database_url)


def test_nothing_is_cut_on_a_narrow_terminal(operator: Operator, conn: psycopg.Connection[DictRow]) -> None:
    """At 80 columns ids stay in one piece, long words are folded, and figures have their units."""
    put_stage(conn, "10")
    put_slots(conn, error_count=2)
    text = operator.ok("rollout gate", columns=80)
    assert "…" not in text
    for word in ("more errors than legacy", "slower than legacy", "4.00%", "p95 20 ms", "500 ms", "0 events"):
        assert word in text, word
    user = str(make_user(conn, "ana@example.com"))
    operator.ok(f"rollout override add user {user} supabase --why '{LONG}'", by="an-operator-with-a-name@a-long-host")
    for command in ("rollout override list", "rollout audit"):
        listed = operator.ok(command, columns=80)
        assert "…" not in listed
        assert listed.count("z") == 100
    assert user in operator.ok("rollout override list", columns=80)


def test_users_are_named_by_their_address(operator: Operator, conn: psycopg.Connection[DictRow]) -> None:
    """Overrides and buckets take an e-mail address; an unknown or ambiguous one is a sentence.

    (Two users of one address come with single sign-on.)
    """
    user = str(make_user(conn, "Ana@example.com"))
    put_stage(conn, "shadow")
    operator.ok("rollout override add user ana@example.com supabase --why tester")
    (row,) = operator.read("rollout override list")
    assert (row["subject"], row["email"]) == (user, "Ana@example.com")
    assert operator.read("rollout bucket ana@example.com")["source"] == "override"
    operator.ok("rollout override remove user ana@example.com")
    assert "There is no user" in operator.refused("rollout override add user nobody@example.com supabase --why x")
    conn.execute("insert into auth.users (id, email, is_sso_user) values (gen_random_uuid(), 'ana@example.com', true)")
    assert "2 users; name one by id" in operator.refused("rollout bucket ana@example.com")


def test_a_look_is_repeated(operator: Operator, conn: psycopg.Connection[DictRow]) -> None:
    """--watch looks again; as JSON one document a line."""
    put_stage(conn, "10")
    lines = operator.ok("rollout status --watch --every 0.2 --times 3 --json").splitlines()
    assert [json.loads(line)["stage"] for line in lines] == ["ramp 10"] * 3
    assert operator.ok("rollout gate --watch --every 0.2 --times 2").count("No window has been closed") == 2


def test_the_next_command_works_as_this_one_was_typed(
    database_url: str, conn: psycopg.Connection[DictRow], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who named a data directory is told to name it again; where the environment says it, nothing is added."""
    conn.execute(KEEPER, (FLAG,))
    place = tmp_path / "my stack"
    place.mkdir()

    def find(directory: Path) -> object:
        assert directory == place
        return type("Ready", (), {"database_url": database_url})

    monkeypatch.setattr("ops.cli.options.read_ready", find)
    named = CliRunner().invoke(main, ["rollout", "status", "--data-dir", str(place), "--json"])
    assert named.exit_code == 0, named.output
    wanted = f"crossfade rollout set shadow --version 1 --why \"…\" --data-dir '{place}'"
    assert json.loads(named.output)["next"] == wanted
    told = CliRunner().invoke(main, ["rollout", "status", "--json"], env={"DATABASE_URL": database_url})
    assert json.loads(told.output)["next"] == 'crossfade rollout set shadow --version 1 --why "…"'
