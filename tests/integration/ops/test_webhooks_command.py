"""`crossfade webhooks` shows an operator what happens, sends again, and forwards to a local receiver."""

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.rows import DictRow

from ops.cli.main import main
from ops.cli.webhooks import command as webhooks_command
from ops.cli.webhooks.listener import SECRET_FILE, ApiSource, Listener, ListenError
from ops.machine.data_dir import DataDir
from ops.terminal.output import moment
from realtime_bridge.shared.secrets import SecretBox
from realtime_bridge.webhooks.contract import signing
from realtime_bridge.webhooks.receiver import verify
from tests.conftest import one
from tests.factories import append_message, make_conversation, make_key, make_user, make_webhook
from tests.integration.webhooks.conftest import BOX, webhooks
from tests.servers.gateway_server import GatewayServer, serve
from tests.servers.receivers import receiver, status
from tests.waiting import wait_for

Conn = psycopg.Connection[DictRow]
Received = list[tuple[dict[str, str], bytes]]


def crossfade(database_url: str, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["webhooks", *arguments], env={"DATABASE_URL": database_url, "COLUMNS": "300"})
    return result.exit_code, result.output


def free_port() -> int:
    """Return a port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def shown_moment(text: str) -> str:
    return moment(datetime.fromisoformat(text))


@pytest.fixture
def box() -> SecretBox:
    return BOX


@pytest.fixture
def account(conn: Conn) -> UUID:
    return make_user(conn)


@pytest.fixture
def refused(database_url: str, conn: Conn, account: UUID, box: SecretBox) -> tuple[int, str]:
    """A webhook whose receiver refused one event; returns webhook and event id."""

    async def scenario() -> tuple[int, str]:
        async with receiver() as told, webhooks(database_url) as hooks:
            told.answers["/"] = status(404)
            webhook_id = make_webhook(conn, account, told.url, box)
            append_message(conn, make_conversation(conn, account))
            await hooks.deliver()
            return webhook_id, told.received[0].headers["webhook-id"]

    import asyncio

    return asyncio.run(scenario())


def test_list_and_attempts_tell_what_happened(database_url: str, refused: tuple[int, str]) -> None:
    """The endpoint with its failure, and the attempt with its outcome, for people and as JSON."""
    webhook_id, event_id = refused
    code, table = crossfade(database_url, "list")
    assert code == 0
    assert "1 failed" in table
    _, output = crossfade(database_url, "list", "--json")
    (row,) = json.loads(output)
    for at in (row["lastFailureAt"], row["nextAttemptAt"]):
        assert shown_moment(at) in table
    assert (row["id"], row["health"], row["waiting"]) == (webhook_id, "healthy", 1)
    code, table = crossfade(database_url, "attempts", str(webhook_id), "--since", "1h")
    assert code == 0
    assert event_id in table
    _, lines = crossfade(database_url, "attempts", str(webhook_id), "--outcome", "client_error", "--json")
    (attempt,) = [json.loads(line) for line in lines.splitlines()]
    assert (attempt["status"], attempt["eventId"]) == (404, event_id)
    assert shown_moment(attempt["nextAttemptAt"]) == shown_moment(row["nextAttemptAt"])
    assert shown_moment(attempt["nextAttemptAt"]) in table


def test_what_is_not_tried_again_has_no_next_attempt(database_url: str, conn: Conn, refused: tuple[int, str]) -> None:
    """While the endpoint is paused, and once its delivery has failed for good."""
    webhook_id, _ = refused

    def shown() -> list[str | None]:
        _, listed = crossfade(database_url, "list", "--json")
        _, attempted = crossfade(database_url, "attempts", str(webhook_id), "--json")
        return [json.loads(listed)[0]["nextAttemptAt"], json.loads(attempted)["nextAttemptAt"]]

    assert None not in shown()
    crossfade(database_url, "pause", str(webhook_id))
    assert shown() == [None, None]
    crossfade(database_url, "resume", str(webhook_id))
    assert None not in shown()
    conn.execute("update webhook_deliveries set state = 'failed', settled_at = now()")
    assert shown() == [None, None]


def test_replay_and_recover_queue_again(database_url: str, conn: Conn, refused: tuple[int, str]) -> None:
    """A settled delivery by its event's id, and all that failed in a range."""
    webhook_id, event_id = refused
    conn.execute("update webhook_deliveries set state = 'failed', attempts = 10")
    code, output = crossfade(database_url, "replay", str(webhook_id), event_id, "--json")
    assert code == 0
    assert json.loads(output)[0]["state"] == "open"
    conn.execute("update webhook_deliveries set state = 'failed'")
    code, output = crossfade(database_url, "recover", str(webhook_id), "--since", "1d", "--json")
    assert (code, json.loads(output)) == (0, {"failed": 1, "missing": 0})
    assert one(conn, "select state, attempts, lane from webhook_deliveries") == {
        "state": "open",
        "attempts": 0,
        "lane": 1,
    }


def test_retry_makes_due_what_waits(database_url: str, conn: Conn, refused: tuple[int, str]) -> None:
    """All that would come in five seconds is due now, or one event; what arrived or is unknown is named as such."""
    webhook_id, event_id = refused
    code, output = crossfade(database_url, "retry", str(webhook_id), "--json")
    assert (code, json.loads(output)) == (0, {"retried": 1, "paused": False})
    assert one(conn, "select next_at <= now() as due, attempts from webhook_deliveries") == {"due": True, "attempts": 1}
    conn.execute("update webhook_deliveries set next_at = now() + interval '2 hours'")
    code, output = crossfade(database_url, "retry", str(webhook_id), event_id)
    assert (code, output) == (0, "1 delivery is due now.\n")
    assert one(conn, "select next_at <= now() as due from webhook_deliveries")["due"]
    conn.execute("update webhook_deliveries set state = 'failed', settled_at = now()")
    assert crossfade(database_url, "retry", str(webhook_id), event_id)[0] == 0
    assert one(conn, "select state from webhook_deliveries")["state"] == "open"
    conn.execute("update webhook_deliveries set state = 'delivered', settled_at = now()")
    code, output = crossfade(database_url, "retry", str(webhook_id), event_id)
    assert (code, "replay sends it" in output) == (1, True)
    code, output = crossfade(database_url, "retry", str(webhook_id), event_id, str(UUID(int=1)))
    assert (code, f"{UUID(int=1)} was never queued" in output) == (1, True)


def test_numbers_are_told_as_people_say_them(database_url: str, conn: Conn, refused: tuple[int, str]) -> None:
    """One delivery, two deliveries; and nothing but the sentence, where nobody watches a bar."""
    webhook_id, event_id = refused
    conn.execute("update webhook_deliveries set state = 'failed', settled_at = now()")
    output = crossfade(database_url, "recover", str(webhook_id), "--since", "1d")[1]
    assert output == "1 failed delivery and 0 missing deliveries are queued.\n"
    assert crossfade(database_url, "retry", str(webhook_id))[1].startswith("Nothing waits for a later attempt")
    output = crossfade(database_url, "replay", str(webhook_id), event_id)[1]
    assert output == "1 delivery will be sent again.\n"


def test_a_paused_webhook_is_said_to_be_paused(database_url: str, conn: Conn, refused: tuple[int, str]) -> None:
    """Whatever is queued waits: the answer says how many, and how to let them go."""
    webhook_id, event_id = refused
    said = (
        f"Webhook {webhook_id} is paused and keeps 1 delivery: crossfade webhooks resume {webhook_id}, or"
        f" POST /webhooks/{webhook_id}/resume, lets it go.\n"
    )
    assert crossfade(database_url, "pause", str(webhook_id)) == (0, said)
    conn.execute("update webhook_deliveries set next_at = now()")
    for words in (["retry"], ["retry", event_id], ["replay", event_id], ["recover", "--since", "1h"]):
        command, *others = words
        code, output = crossfade(database_url, command, str(webhook_id), *others)
        assert (code, f"Webhook {webhook_id} is paused and keeps 1 delivery" in output) == (0, True), output
    _, output = crossfade(database_url, "retry", str(webhook_id), "--json")
    assert json.loads(output) == {"retried": 0, "paused": True}
    code, output = crossfade(database_url, "resume", str(webhook_id))
    assert (code, output) == (0, f"Webhook {webhook_id} is no longer paused.\n")
    assert one(conn, "select paused from chat_external_webhooks")["paused"] is False


def test_a_disabled_webhook_is_refused_with_the_way_back(
    database_url: str, conn: Conn, refused: tuple[int, str]
) -> None:
    """The command is named, and it works; nothing else stands before the sentence."""
    webhook_id, event_id = refused
    conn.execute("update webhook_queues set health = 'disabled', disabled_at = now(), disabled_reason = 'told so'")
    said = (
        f"Error: Webhook {webhook_id} is disabled: crossfade webhooks enable {webhook_id}, or"
        f" POST /webhooks/{webhook_id}/enable, comes first.\n"
    )
    for words in (["retry"], ["retry", event_id], ["replay", event_id], ["recover", "--since", "1h"]):
        command, *others = words
        assert crossfade(database_url, command, str(webhook_id), *others) == (1, said)
    code, output = crossfade(database_url, "enable", str(webhook_id))
    assert (code, f"crossfade webhooks recover {webhook_id} --since" in output) == (0, True)
    assert one(conn, "select health from webhook_queues")["health"] != "disabled"
    assert crossfade(database_url, "retry", str(webhook_id))[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["attempts", "7"], 1, "There is no webhook 7"),
        (["replay", "7", str(UUID(int=1))], 1, "There is no webhook 7"),
        (["recover", "7", "--since", "1h"], 1, "There is no webhook 7"),
        (["recover", "7", "--since", "yesterday"], 2, "is not a time"),
        (["recover", "7"], 2, "--since"),
        (["listen", "--forward-to", "http://127.0.0.1:1", "--type", "nope"], 2, "is not an event type"),
        (["listen", "--forward-to", "http://127.0.0.1:1"], 1, "--account"),
        (["listen", "--forward-to", "http://127.0.0.1:1", "--api-url", "http://127.0.0.1:1"], 2, "--api-key"),
        (["listen", "--forward-to", "http://127.0.0.1:1", "--secret", "hunter2"], 2, "whsec_"),
        (["pause", "7"], 1, "There is no webhook 7"),
        (["resume", "7"], 1, "There is no webhook 7"),
        (["enable", "7"], 1, "There is no webhook 7"),
        *(
            (["listen", "--forward-to", wrong], 2, f"{wrong!r} is not an http:// or https:// URL.")
            for wrong in ("ftp://x", "127.0.0.1:3000", "http://", "http://x:y/", "http://x:99999/")
        ),
        *(
            (["listen", "--forward-to", "http://x", "--api-url", wrong, "--api-key", "x"], 2, "is not an http://")
            for wrong in ("foo", "ftp://x")
        ),
        (
            ["listen", "--forward-to", "http://x", "--api-url", "http://x", "--api-key", "x", "--type", "endpoint.*"],
            1,
            "webhooks only",
        ),
    ],
)
def test_what_cannot_be_done_is_one_sentence(database_url: str, arguments: list[str], code: int, sentence: str) -> None:
    """With the documented exit code."""
    got, output = crossfade(database_url, *arguments)
    assert got == code
    assert sentence in output


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

    monkeypatch.setattr("ops.cli.webhooks.command.listener.time.sleep", sleep)
    with pytest.raises(Enough):
        next(ApiSource(gone, "cf_live_x", ["*"], say=said.append).events())
    assert said == [f"No answer from {gone}, trying again."]


def test_listen_takes_the_api_as_people_name_it(tmp_path: Path, database_url: str, redis_url: str) -> None:
    """With the path that every request has, or without; what the API refuses is one sentence."""
    with serve(tmp_path, database_url, f"{redis_url}?db=11") as server:
        for path in ("", "/", "/api/v1/chat", "/api/v1/chat/", "/api/v1/chat/events"):
            source = ApiSource(f"http://127.0.0.1:{server.port}{path}", "cf_live_no_key", ["*"], say=print)
            with pytest.raises(ListenError) as refused:
                next(source.events())
            assert str(refused.value).startswith("The API answered 401: The API key is not valid")
            assert "{" not in str(refused.value)


def test_listen_knows_when_it_asks_somebody_else(local: tuple[str, Received]) -> None:
    """Another server's page is no event."""
    url, _ = local
    with pytest.raises(ListenError, match="not as Crossfade's gateway does"):
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
            patch.setattr(webhooks_command, "DEFAULT_DATA_DIR", tmp_path / "data")
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
            shown.extend(Listener(source, target=url, secret=secret).forward(None))
        except ListenError as error:
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
