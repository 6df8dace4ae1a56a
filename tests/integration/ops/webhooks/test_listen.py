"""`crossfade webhooks listen` forwards to a local receiver."""

import http.server
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ops.cli import options
from ops.cli.webhooks.listen import SECRET_FILE, Listener
from ops.cli.webhooks.sources import ApiSource
from ops.errors import OpsError
from ops.machine.data_dir import DataDir
from realtime_bridge.webhooks.contract import signing
from realtime_bridge.webhooks.receiver import verify
from tests.factories import append_message, make_conversation, make_key, make_user
from tests.integration.ops.webhooks.conftest import Conn, crossfade, free_port
from tests.servers.gateway_server import GatewayServer, serve
from tests.waiting import wait_for

Received = list[tuple[dict[str, str], bytes]]


def test_listen_says_that_nobody_answers(database_url: str, conn: Conn, account: UUID) -> None:
    """A receiver that is not there, in words and with its address."""
    append_message(conn, make_conversation(conn, account))
    gone = f"http://127.0.0.1:{free_port()}/hooks"
    arguments = ["--forward-to", gone, "--account", str(account), "--after", "0", "--count", "1"]
    code, output = crossfade(database_url, "listen", *arguments)
    assert code == 0
    assert output.rstrip().endswith(f"nobody answers at {gone}")


def test_listen_says_once_that_the_api_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at each try, and again only when it had answered in between."""
    gone, said, tries = f"http://127.0.0.1:{free_port()}", list[str](), list[float]()

    class Enough(Exception):
        """Ends the waiting."""

    def sleep(seconds: float) -> None:
        tries.append(seconds)
        if len(tries) == 3:
            raise Enough

    monkeypatch.setattr("ops.cli.webhooks.sources.time.sleep", sleep)
    with pytest.raises(Enough):
        next(ApiSource(gone, "cf_live_x", ["*"], say=said.append).events())
    assert said == [f"No answer from {gone}, trying again."]


def test_listen_takes_the_api_as_people_name_it(tmp_path: Path, database_url: str, redis_url: str) -> None:
    """With the path that every request has, or without; what the API refuses is one sentence."""
    with serve(tmp_path, database_url, f"{redis_url}?db=11") as server:
        for path in ("", "/", "/api/v1/chat", "/api/v1/chat/", "/api/v1/chat/events"):
            source = ApiSource(f"http://127.0.0.1:{server.port}{path}", "cf_live_no_key", ["*"], say=print)
            with pytest.raises(OpsError) as refused:
                next(source.events())
            assert str(refused.value).startswith("The API answered 401: The API key is not valid")
            assert "{" not in str(refused.value)


def test_listen_knows_when_it_asks_somebody_else(local: tuple[str, Received]) -> None:
    """Another server's page is no event."""
    url, _ = local
    with pytest.raises(OpsError, match="not as Crossfade's gateway does"):
        next(ApiSource(url, "cf_live_no_key", ["*"], say=print).events())


class Told(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent; answers 204, or 500 where it is told to fail."""

    received: Received

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append((dict(self.headers), body))
        self.send_response(500 if b"fail" in body else 204)
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<h1>It works!</h1>")

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def local() -> Iterator[tuple[str, Received]]:
    """A receiver on this machine: its URL and what it was sent."""
    received: Received = []
    handler = type("Handler", (Told,), {"received": received})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/", received
        finally:
            server.shutdown()
            thread.join()


def test_listen_forwards_signed_events_to_a_local_port(
    database_url: str, conn: Conn, account: UUID, local: tuple[str, Received]
) -> None:
    """Only the account's events of the wanted types, in order, as a webhook would carry them."""
    url, received = local
    secret = signing.new_secret()
    stranger = make_user(conn)
    mine, other = make_conversation(conn, account), make_conversation(conn, stranger)
    for number in range(3):
        append_message(conn, mine, f"message {number}")
        append_message(conn, other, "not for you")
    arguments = ["--forward-to", url, "--account", str(account), "--type", "message.*", "--after", "0", "--count", "3"]
    code, output = crossfade(database_url, "listen", *arguments, "--secret", secret, "--json")
    assert code == 0, output
    shown = [json.loads(line) for line in output.splitlines()]
    assert [line["status"] for line in shown] == [204, 204, 204]
    events = [verify(body, headers, secret) for headers, body in received]
    assert [event["data"]["content"] for event in events] == ["message 0", "message 1", "message 2"]
    assert [event["eventId"] for event in events] == [line["eventId"] for line in shown]
    assert datetime.fromisoformat(events[0]["timestamp"]) > datetime.now(UTC) - timedelta(minutes=5)


def test_listen_keeps_its_secret(
    tmp_path: Path, database_url: str, conn: Conn, account: UUID, local: tuple[str, Received]
) -> None:
    """Two runs sign with the same secret; it lies in the data directory, for its owner only."""
    url, received = local
    for number in range(2):
        append_message(conn, make_conversation(conn, account), f"message {number}")
    database = ["--account", str(account), "--count", "1"]
    for after in ("0", "1"):
        arguments = ["listen", "--forward-to", url, *database, "--after", after]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(options, "DEFAULT_DATA_DIR", tmp_path / "data")
            code, output = crossfade(database_url, *arguments)
        assert code == 0, output
    file = tmp_path / "data" / SECRET_FILE
    secret = file.read_text().strip()
    assert file.stat().st_mode & 0o777 == 0o600
    assert secret in output
    assert [verify(body, headers, secret)["data"]["content"] for headers, body in received] == [
        "message 0",
        "message 1",
    ]
    DataDir(tmp_path / "data").acquire()  # `up` finds it there and does not mind


def test_listen_needs_no_database_with_a_key(
    tmp_path: Path, database_url: str, redis_url: str, conn: Conn, account: UUID, local: tuple[str, Received]
) -> None:
    """From the real API: the wanted types, through a restart, past what is no longer kept, until the key is refused.

    What the receiver refuses is shown, and the next one comes all the same.
    """
    url, received = local
    key, conversation, secret = make_key(conn, account), make_conversation(conn, account), signing.new_secret()
    said: list[str] = []
    shown: list[dict[str, Any]] = []
    ended: list[str] = []

    def listen(gateway: str) -> None:
        source = ApiSource(gateway, key, ["message.*"], say=said.append)
        try:
            shown.extend(Listener(source.events(), target=url, secret=secret).forward(None))
        except OpsError as error:
            ended.append(str(error))

    def asks(server: GatewayServer) -> bool:
        return server.metric("chat_api_waiting_consumers") == 1.0

    with serve(tmp_path, database_url, f"{redis_url}?db=11") as server:
        listening = threading.Thread(target=listen, args=(f"http://127.0.0.1:{server.port}",))
        listening.start()
        wait_for(lambda: asks(server), "the first long poll")
        append_message(conn, conversation, "first")
        append_message(conn, conversation, "fail")
        wait_for(lambda: len(received) == 2, "two events")
    append_message(conn, conversation, "lost")
    conn.execute("update crossfade.event_floor set id = (select max(id) from chat_events)")
    append_message(conn, conversation, "kept")
    with serve(tmp_path, database_url, f"{redis_url}?db=11", CROSSFADE_GATEWAY_PORT=str(server.port)) as server:
        wait_for(lambda: len(received) == 3, "the event that is still kept")
        wait_for(lambda: asks(server), "the next long poll")
        conn.execute("update chat_api_keys set revoked_at = now()")
        append_message(conn, conversation, "for nobody")
        wait_for(lambda: not listening.is_alive(), "the end")
    conn.execute("update crossfade.event_floor set id = 0")
    events = [verify(body, headers, secret) for headers, body in received]
    contents = [event["data"]["content"] for event in events]
    assert contents[:3] == ["first", "fail", "kept"]
    assert "lost" not in contents
    assert [line["status"] for line in shown[:3]] == [204, 500, 204]
    said = [sentence for sentence in said if "trying again" not in sentence]
    assert len(said) == 1
    assert "no longer kept" in said[0]
    assert "401" in ended[0]
