"""One account or address that takes all it can get, beside one that wants a little: waiting rooms and queues."""

import select
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPMessage
from pathlib import Path

import pytest

from gateway.domain import key_text
from ops.machine.postgres import EmbeddedPostgres
from tests.attacks.gateway.crowded import LIST, Attacked, attacked, head
from tests.factories import append_message, make_conversation, make_key, make_user
from tests.waiting import wait_for

EVENTS = "/api/v1/chat/events"
PLACES = 32
WAITING = "chat_api_waiting_consumers"
TURNED_AWAY = "chat_api_turned_away_total"


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: EmbeddedPostgres, template_database: str, redis_url: str
) -> Iterator[Attacked]:
    """One worker that does one thing at a time, so that whoever has the place has it alone."""
    variables = {
        "CROSSFADE_GATEWAY_WORKERS": "1",
        "CROSSFADE_GATEWAY_THREADS": "1",
        "CROSSFADE_MAX_WAITERS": str(PLACES),
        "CROSSFADE_DB_POOL_SIZE": "4",
    }
    directory: Path = tmp_path_factory.mktemp("crowds")
    with attacked(directory, postgres_server, template_database, f"{redis_url}?db=12", **variables) as running:
        yield running


def _newest(gateway: Attacked, key: str) -> str:
    return str(gateway.server.request("GET", f"{EVENTS}?after=latest", key)[1]["pagination"]["nextCursor"])


def test_one_accounts_long_polls_leave_places_for_others(gateway: Attacked) -> None:
    """Whoever asks for all places gets half; a neighbour still waits, and hears of its message when it comes."""
    noisy = make_key(gateway.conn, make_user(gateway.conn))
    poll = head("GET", f"{EVENTS}?after={_newest(gateway, noisy)}&wait=25", f"X-API-Key: {noisy}")
    conversation = make_conversation(gateway.conn, gateway.account)
    path = f"{EVENTS}?after={_newest(gateway, gateway.key)}&wait=25"
    with gateway.sockets(PLACES, poll) as crowd, ThreadPoolExecutor(1) as pool:
        wait_for(lambda: gateway.server.metric(WAITING) == PLACES / 2, "the crowd to have its share")
        wait_for(lambda: len(select.select(crowd, [], [], 0)[0]) == PLACES / 2, "the others to be answered at once")
        waiting = pool.submit(gateway.server.request, "GET", path, gateway.key)
        wait_for(lambda: gateway.server.metric(WAITING) == PLACES / 2 + 1, "the neighbour to wait")
        append_message(gateway.conn, conversation, "heard")
        assert [event["data"]["content"] for event in waiting.result(15)[1]["data"]] == ["heard"]


def test_a_client_that_hangs_up_gives_its_place_back(gateway: Attacked) -> None:
    """Long before its 25 seconds are over, and without an event."""
    noisy = make_key(gateway.conn, make_user(gateway.conn))
    poll = head("GET", f"{EVENTS}?after={_newest(gateway, noisy)}&wait=25", f"X-API-Key: {noisy}")
    wait_for(lambda: gateway.server.metric(WAITING) == 0, "the room to be empty")
    with gateway.sockets(10, poll):
        wait_for(lambda: gateway.server.metric(WAITING) == 10, "ten to wait")
    wait_for(lambda: gateway.server.metric(WAITING) == 0, "the places of those who left", 10)


def test_a_queue_of_one_account_does_not_stand_before_another(gateway: Attacked) -> None:
    """Two hundred requests of one account: its own are refused, `/readyz` stays 200, and the neighbour is next."""
    account = make_user(gateway.conn)
    noisy, conversation = make_key(gateway.conn, account), make_conversation(gateway.conn, account)
    assert gateway.server.request("GET", LIST, gateway.key)[0] == 200
    refused = gateway.server.metric(TURNED_AWAY) or 0
    with ThreadPoolExecutor(2) as pool:
        with gateway.conn.transaction():
            gateway.conn.execute("select from conversations where id = %s for update", (conversation,))
            path = f"{LIST}/{conversation}/messages"
            blocked = pool.submit(gateway.server.request, "POST", path, noisy, {"content": "held up"})
            lock = "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
            wait_for(lambda: gateway.conn.execute(lock).fetchone() is not None, "the only place to be taken")
            with gateway.sockets(200, head("GET", LIST, f"X-API-Key: {noisy}", "Connection: close")) as crowd:
                wait_for(lambda: (gateway.server.metric(TURNED_AWAY) or 0) > refused, "some of the crowd to be refused")
                assert gateway.server.request("GET", "/readyz")[0] == 200
                neighbour = pool.submit(gateway.server.request, "GET", LIST, gateway.key)
                gateway.conn.execute("select pg_sleep(0.3)")
                gateway.conn.execute("commit")
                assert neighbour.result(15)[0] == 200
                assert gateway.server.request("GET", "/readyz")[0] == 200
                statuses = [client.recv(12) for client in crowd]
        assert blocked.result(15)[0] == 201
    assert set(statuses) == {b"HTTP/1.1 200", b"HTTP/1.1 503"}


def test_announced_imports_are_sends(gateway: Attacked) -> None:
    """A key that may send 60 a minute tells of 60 a minute, however it sends them; what fits is told."""
    account = make_user(gateway.conn)
    key, conversation = make_key(gateway.conn, account, send_rate_limit=60), make_conversation(gateway.conn, account)
    path = f"{LIST}/{conversation}/messages"

    def announce(count: int, *, aloud: bool = True) -> tuple[int, dict[str, object], HTTPMessage]:
        message = {"direction": "outgoing", "createdAt": "2026-01-01T00:00:00Z"}
        messages = [message | {"content": str(n)} for n in range(count)]
        body = {"announce": aloud, "messages": messages}
        return gateway.server.request("POST", f"{path}:import", key, body)[:3]

    status, refused, _ = announce(500)
    assert (status, refused["code"]) == (429, "rate_limited")
    assert (refused["requested"], refused["remaining"], refused["limit"]) == (500, 60, 60)
    assert announce(50)[0] == 200
    status, refused, headers = announce(11)
    assert (status, refused["remaining"]) == (429, 10)
    assert int(headers["Retry-After"]) > 50
    assert announce(500, aloud=False)[0] == 200
    once = {"Idempotency-Key": "the last of them"}
    body = {
        "announce": True,
        "messages": [{"direction": "outgoing", "createdAt": "2026-01-01T00:00:00Z", "content": "x"}],
    }
    first, *repeats = [gateway.server.request("POST", f"{path}:import", key, body, once) for _ in range(3)]
    assert first[0] == 200
    assert [(repeat[0], repeat[2]["Idempotency-Replayed"]) for repeat in repeats] == [(200, "true")] * 2
    sent = [gateway.server.request("POST", path, key, {"content": str(n)})[0] for n in range(10)]
    assert sent == [201] * 9 + [429]
    count = "select count(*) as n from chat_events where conversation_id = %s and type = 'message.new'"
    row = gateway.conn.execute(count, (conversation,)).fetchone()
    assert row is not None
    assert row["n"] == 60


def test_bad_keys_lock_no_good_one_out(gateway: Attacked) -> None:
    """Behind one load balancer all clients have its address: the guesser is held up, and nobody else."""
    guesses = [gateway.server.request("GET", LIST, key_text.mint("test").text)[0] for _ in range(40)]
    assert guesses == [401] * 30 + [429] * 10
    newcomer = make_key(gateway.conn, gateway.account)
    assert gateway.server.request("GET", LIST, newcomer)[0] == 200


def test_an_unknown_proxy_is_told_of_once(gateway: Attacked) -> None:
    """Two requests through a proxy that nobody trusts: one warning in the log, and both are counted."""
    for _ in range(2):
        gateway.server.request("GET", LIST, gateway.key, headers={"X-Forwarded-For": "192.0.2.7"})
    wait_for(lambda: gateway.server.metric("chat_api_untrusted_forwards_total") == 2, "both to be counted")
    warnings = [line for line in gateway.server.lines() if line["event"] == "proxy_not_trusted"]
    assert len(warnings) == 1
    assert "CROSSFADE_TRUSTED_PROXIES" in warnings[0]["detail"]
