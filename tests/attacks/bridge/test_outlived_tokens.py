"""A socket that goes on after its token, or its user, has ended."""

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.integration.legacy.clients import Clients
from tests.integration.legacy.conftest import (  # noqa: F401 - fixtures
    Room,
    bridge,
    clients,
    database_url,
    legacy_url,
    room,
)
from tests.integration.legacy.harness import Bridge, token

# ruff: noqa: F811 - what is imported above is named as an argument below
TTL_S = 2


def test_a_socket_ends_with_its_token(bridge: Bridge, clients: Clients, room: Room) -> None:
    """It is told why, is closed, and does not come back with the same; one that was renewed in time hears on."""
    ending, renewed = (clients.open(bridge.url, {"token": token(room.member, TTL_S)}) for _ in range(2))
    for client in (ending, renewed):
        client.wait("connect")
        assert client.subscribe(room.id)["ok"]
    assert renewed.ask("token", {"token": token(room.member)})["ok"]
    assert ending.wait_event("error")["code"] == "token_expired"
    assert ending.wait("connect_error")["data"] == {"code": "token_expired"}
    bridge.deliver(room.append("after"))
    assert renewed.wait_event("message")["content"] == "after"
    assert (ending.received("message"), renewed.count("disconnect")) == ([], 0)


@pytest.mark.parametrize("renewal", ["", "no token", {}, None, 7, {"token": []}], ids=str)
def test_a_renewal_that_is_none_changes_nothing(bridge: Bridge, clients: Clients, room: Room, renewal: object) -> None:
    """Rubbish is refused with a code, and the old token goes on counting."""
    client = clients.connect(bridge.url, room.member)
    assert client.ask("token", renewal)["error"]["code"] in {"token_missing", "token_invalid"}
    assert client.subscribe(room.id)["ok"]


def test_nobody_becomes_another_user(bridge: Bridge, clients: Clients, room: Room) -> None:
    """A valid token of somebody else is refused: rooms and lists were given to the first."""
    client = clients.connect(bridge.url, room.outsider)
    assert client.ask("token", token(room.member))["error"]["code"] == "token_subject"
    assert client.subscribe(room.id)["error"]["code"] == "not_found"


def test_a_socket_ends_with_its_user(
    bridge: Bridge,
    clients: Clients,
    room: Room,
    conn: psycopg.Connection[DictRow],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever was deleted in the project is told so and closed; the others stay."""
    monkeypatch.setattr("realtime_bridge.legacy.endings.GONE_EVERY_S", 0.0)
    gone, staying = clients.connect(bridge.url, room.member), clients.connect(bridge.url, room.owner)
    conn.execute("delete from auth.users where id = %s", (room.member,))
    assert gone.wait_event("error")["code"] == "user_gone"
    gone.wait("disconnect")
    assert staying.subscribe(room.id)["ok"]
    assert staying.count("disconnect") == 0
