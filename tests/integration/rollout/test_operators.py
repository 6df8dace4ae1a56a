"""Operators have names and keys: who asks cannot approve, whatever he calls himself."""

import psycopg
import pytest
from psycopg.rows import DictRow

from realtime_bridge.rollout import rules
from realtime_bridge.rollout.dial.errors import OperatorRefused
from realtime_bridge.rollout.operators import Who
from tests.integration.rollout.keeping import judge_once
from tests.integration.rollout.operator import KEEPER, Operator
from tests.integration.rollout.stages import FLAG, audit, dial, put_slots, put_stage
from tests.relays import run


@pytest.fixture
def operator(database_url: str, conn: psycopg.Connection[DictRow]) -> Operator:
    conn.execute(KEEPER, (FLAG,))
    return Operator(database_url)


@pytest.fixture
def keys(operator: Operator) -> dict[str, str]:
    """The keys of alice and bob."""
    alice = operator.read("operators add alice")["key"]
    return {"alice": alice, "bob": operator.read("operators add bob", key=alice)["key"]}


def test_who_asks_cannot_approve_under_another_name(
    operator: Operator, conn: psycopg.Connection[DictRow], keys: dict[str, str]
) -> None:
    """Saying to be somebody else is not enough, nor is asking without a key; the audit names both keys."""
    alice, bob = keys["alice"], keys["bob"]
    operator.ok("rollout approve --on --why 'four eyes'", key=alice)
    assert "second operator" in operator.ok("rollout set shadow --why begin", key=alice)
    assert operator.next_command() == "crossfade rollout approve"
    assert "somebody else" in operator.refused("rollout approve", key=alice)
    assert "leave --by out" in operator.refused("rollout approve", by="bob", key=alice)
    assert "CROSSFADE_OPERATOR_KEY" in operator.refused("rollout approve", by="bob")
    assert dial(conn)[0] == "off"
    operator.ok("rollout approve", key=bob)
    assert dial(conn)[0] == "shadow"
    asked, approved = audit(conn)[1], audit(conn)[0]
    assert (asked["actor"], asked["key_id"]) == ("alice", alice.split("_")[1])
    assert (approved["actor"], approved["key_id"]) == ("bob", bob.split("_")[1])
    assert approved["why"] == "begin (asked by alice)"
    approving = next(line for line in operator.ok("rollout audit").splitlines() if " approve " in line)
    assert {"bob", bob.split("_")[1]} <= set(approving.split())
    operator.ok("rollout set off --why 'not today'", key=bob)
    operator.ok("rollout set shadow --why again", key=alice)
    put_stage(conn, "off")
    assert "moved meanwhile" in operator.refused("rollout approve", key=bob)


def test_a_bridge_that_was_pinned_meanwhile_refuses_the_approval(
    operator: Operator, conn: psycopg.Connection[DictRow], keys: dict[str, str]
) -> None:
    """Hours lie between wish and approval: what the wish was checked for is asked again, and --force goes on."""
    operator.ok("rollout approve --on --why 'four eyes'", key=keys["alice"])
    operator.ok("rollout set shadow --why begin", key=keys["alice"])
    conn.execute("insert into bridge_reports values ('host:1:bridge', 'dual', '{}', 'full', null, true)")
    said = operator.refused("rollout approve", key=keys["bob"])
    assert said == operator.refused("rollout set shadow --why begin", key=keys["alice"])
    assert "host:1:bridge does not follow the dial (CHAT_REALTIME_PROVIDER=dual)" in said
    assert dial(conn)[0] == "off"
    operator.ok("rollout approve --force --why 'it is a test bridge'", key=keys["bob"])
    line = audit(conn)[0]
    assert (dial(conn)[0], line["action"], line["actor"]) == ("shadow", "approve_forced", "bob")
    assert line["why"] == "begin (asked by alice); it is a test bridge"


def test_one_person_needs_no_keys_and_a_second_one_does(operator: Operator, conn: psycopg.Connection[DictRow]) -> None:
    """Without operators everything works as it did, but for what asks for a second one: that names what to do."""
    assert "nobody has one: crossfade operators add NAME" in operator.refused("rollout approve --on --why 'four eyes'")
    operator.ok("rollout set shadow --why begin", by="alice")
    assert (audit(conn)[0]["actor"], audit(conn)[0]["key_id"]) == ("alice", None)
    conn.execute("update rollout_stages set needs_approval = true")  # by a version that knew no keys
    put_slots(conn)
    operator.ok("rollout set 10 --force --why begin", by="alice")
    assert "known by a key and not by a name" in operator.refused("rollout approve", by="bob")
    assert operator.next_command() == 'crossfade rollout approve --off --why "because"'
    assert "add NAME" in operator.refused("rollout plan 10:30m 25 --why spring")
    assert "after crossfade rollout approve --off" in operator.refused("operators add alice")
    operator.ok("rollout approve --off --why 'only me'")


def test_from_the_first_operator_on_every_change_needs_a_key(
    operator: Operator, conn: psycopg.Connection[DictRow], keys: dict[str, str]
) -> None:
    """But for the kill switch, also with a wrong key; and a revoked key is none."""
    for line in (
        "rollout set shadow --why x",
        "rollout plan shadow --why x",
        "rollout policy min_samples=50 --why x",
        "rollout approve --off --why x",
        "rollout override add user 00000000-0000-0000-0000-000000000000 supabase --why x",
        "operators add mallory",
        "operators revoke bob --why x",
    ):
        assert "set CROSSFADE_OPERATOR_KEY to yours. Who has none is given one by" in operator.refused(line)
        assert "no operator's key" in operator.refused(line, key="cfop_00000000_" + 40 * "0")
    operator.ok("rollout set shadow --why begin", key=keys["bob"])
    operator.ok("operators revoke bob --why 'has left'", key=keys["alice"])
    assert "was revoked" in operator.refused("rollout set off --why x", key=keys["bob"])
    operator.ok("rollout rollback --why complaints", by="carol", key=keys["bob"])
    assert (dial(conn)[0], audit(conn)[0]["actor"], audit(conn)[0]["key_id"]) == ("off", "carol", None)


def test_keys_are_shown_once_and_stored_hashed(
    operator: Operator, conn: psycopg.Connection[DictRow], keys: dict[str, str]
) -> None:
    """The list has their public part; of the secret nothing is found in the database."""
    listed = operator.read("operators list")
    assert [(one["name"], one["keyId"]) for one in listed] == [
        (name, key.split("_")[1]) for name, key in sorted(keys.items())
    ]
    everything = str(conn.execute("select t::text from rollout_operators t").fetchall()) + str(audit(conn))
    assert not any(key.split("_")[2] in everything for key in keys.values())
    assert "already" in operator.refused("operators add Alice", key=keys["bob"])
    operator.ok("operators revoke alice --without-key --why 'lost'")
    said = operator.ok("operators revoke bob --without-key --why 'lost, too'")
    assert "too few" not in said, "nobody agrees here"
    assert "Nobody has a key now" in said
    assert [line["key_id"] for line in audit(conn)[:2]] == [None, None]
    assert operator.read("operators add alice")["keyId"] not in {one["keyId"] for one in listed}


def test_a_team_that_is_too_small_to_agree_is_told(operator: Operator, keys: dict[str, str]) -> None:
    """When a key is revoked where changes wait for a second operator."""
    operator.ok("rollout approve --on --why 'four eyes'", key=keys["alice"])
    said = operator.ok("operators revoke bob --why 'has left'", key=keys["alice"])
    assert "Operators left: 1, too few for a second one to agree." in said
    alice = keys["alice"]
    for line in ("operators add eve", "rollout approve --off --why x"):
        assert "revoke NAME --without-key and begin anew" in operator.refused(line, key=alice)
    assert "with --without-key nobody" in operator.refused("operators revoke alice --why x", key=alice)
    operator.ok("operators revoke alice --without-key --why 'nobody can agree'")
    assert operator.read("rollout status")["needsApproval"] is False
    operator.ok("operators add dan", key=operator.read("operators add alice")["key"])


def test_one_person_with_two_keys_is_one(
    operator: Operator, conn: psycopg.Connection[DictRow], keys: dict[str, str]
) -> None:
    """Whoever was added by one of them continues his line: neither approves for the other, nor do two of one line."""
    alice, bob = keys["alice"], keys["bob"]
    mallory, eve = (operator.read(f"operators add {name}", key=alice)["key"] for name in ("mallory", "eve"))
    operator.ok("rollout approve --on --why 'four eyes'", key=alice)
    for asking, agreeing in ((alice, mallory), (mallory, alice), (mallory, eve)):
        operator.ok("rollout set shadow --why begin", key=asking)
        assert "may be one person" in operator.refused("rollout approve", key=agreeing)
    assert dial(conn)[0] == "off"
    operator.ok("rollout approve", key=bob)
    assert dial(conn)[0] == "shadow"
    assert [(one["name"], one["lineOf"]) for one in operator.read("operators list")] == [
        ("alice", "alice"),
        ("bob", "bob"),
        ("eve", "alice"),
        ("mallory", "alice"),
    ]


def test_keys_and_the_need_for_a_second_one_need_a_second_one(
    operator: Operator, conn: psycopg.Connection[DictRow], keys: dict[str, str]
) -> None:
    """Who agrees is shown the key, so that it is no second one of who asked; and both are in the audit."""
    alice, bob = keys["alice"], keys["bob"]
    operator.ok("rollout approve --on --why 'four eyes'", key=alice)
    assert "crossfade rollout approve" in operator.ok("operators add carol", key=alice)
    assert "a key for carol waits for a second operator; alice asked" in operator.read("rollout status")["advice"]
    assert "somebody else" in operator.refused("rollout approve", key=alice)
    said = operator.ok("rollout approve", key=bob)
    carol = said.splitlines()[0]
    assert "only time the key of carol is shown" in said
    assert audit(conn)[0]["why"] == f"carol has key {carol.split('_')[1]} (asked by alice)"
    operator.ok("rollout set shadow --why begin", key=bob)
    assert "may be one person" in operator.refused("rollout approve", key=carol)

    assert "crossfade rollout approve" in operator.ok("rollout approve --off --why 'only me'", key=alice)
    assert operator.read("rollout status")["needsApproval"] is True
    assert "somebody else" in operator.refused("rollout approve", key=alice)
    operator.ok("rollout rollback --why complaints", key=alice)  # as before: nobody has to agree
    assert "does not need a second" in operator.ok("rollout approve", key=carol)
    assert (audit(conn)[0]["action"], audit(conn)[0]["why"]) == ("approvals_off", "only me (asked by alice)")


def test_who_asked_with_a_revoked_key_asks_again(operator: Operator, keys: dict[str, str]) -> None:
    """Nobody knows any more of which line he was."""
    operator.ok("rollout approve --on --why 'four eyes'", key=keys["alice"])
    operator.ok("rollout set shadow --why begin", key=keys["alice"])
    operator.ok("operators revoke alice --why lost", key=keys["bob"])
    assert "was revoked: ask again" in operator.refused("rollout approve", key=keys["bob"])


def test_who_made_a_plan_does_not_approve_its_steps(
    database_url: str, operator: Operator, conn: psycopg.Connection[DictRow], keys: dict[str, str]
) -> None:
    """The plan asks in the name of its operator."""
    conn.execute("delete from rollout_keepers")
    put_stage(conn, "shadow")
    put_slots(conn)
    conn.execute(KEEPER, (FLAG,))
    operator.ok("rollout approve --on --why 'four eyes'", key=keys["alice"])
    operator.ok("rollout plan 10:1s --why spring", key=keys["alice"])
    conn.execute("delete from rollout_keepers")
    assert judge_once(database_url) == 0
    assert "somebody else" in operator.refused("rollout approve", key=keys["alice"])
    operator.ok("rollout approve", key=keys["bob"])
    assert dial(conn)[0] == "ramp 10"


def test_an_unusable_name_is_refused(database_url: str) -> None:
    """Before anything is stored."""

    async def add() -> None:
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            for name in ("", " ", "a\nb", "x" * 101):
                with pytest.raises(OperatorRefused, match="1 to 100"):
                    await rules.add_operator(connection, FLAG, name, by=Who(actor="alice"))

    run(add)
