"""Long polls on real workers: many of them leave room for others, and a stop lets them go at once."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
from psycopg.rows import DictRow

from tests.factories import append_message, make_conversation, make_key, make_user
from tests.servers.gateway_server import GatewayServer, serve
from tests.waiting import wait_for

EVENTS = "/api/v1/chat/events"
WAITERS = 40  # several times the places of the two workers below


def _cursor(server: GatewayServer, key: str) -> str:
    return str(server.request("GET", f"{EVENTS}?after=latest", key)[1]["pagination"]["nextCursor"])


def test_waiting_takes_no_place_from_working(
    tmp_path: Path, database_url: str, limits_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """With more waiters than places every other request is answered, and one commit ends every wait."""
    account = make_user(conn)
    key, conversation = make_key(conn, account), make_conversation(conn, account)
    with serve(tmp_path, database_url, limits_url, CROSSFADE_GATEWAY_THREADS="2") as server:
        path = f"{EVENTS}?after={_cursor(server, key)}&wait=10"
        with ThreadPoolExecutor(WAITERS) as pool:
            waiting = [pool.submit(server.request, "GET", path, key) for _ in range(WAITERS)]
            answers = [server.request("GET", "/api/v1/chat/conversations", key)[0] for _ in range(10)]
            assert answers == [200] * 10
            append_message(conn, conversation, "to all")
            ended = [answer.result(15) for answer in waiting]
    assert {status for status, _, _ in ended} == {200}
    assert all(document["data"][0]["data"]["content"] == "to all" for _, document, _ in ended)


def test_a_stop_answers_those_who_wait(
    tmp_path: Path, database_url: str, limits_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """With an empty page and a cursor to go on from, long before the wait is over."""
    key = make_key(conn, make_user(conn))
    with serve(tmp_path, database_url, limits_url) as server, ThreadPoolExecutor(1) as pool:
        path = f"{EVENTS}?after={_cursor(server, key)}&wait=25"
        began = time.monotonic()
        waiting = pool.submit(server.request, "GET", path, key)
        wait_for(lambda: server.metric("chat_api_waiting_consumers") == 1.0, "the request to be among the waiting")
        server.process.send_signal(signal.SIGTERM)
        status, document, _ = waiting.result(20)
        assert (status, document["data"]) == (200, [])
        assert document["pagination"]["nextCursor"]
        assert time.monotonic() - began < 20
