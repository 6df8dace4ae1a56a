"""`crossfade webhooks` shows an operator what happens, and sends again."""

import json
from datetime import datetime
from uuid import UUID

import pytest

from ops.terminal.output import moment
from realtime_bridge.shared.secrets import SecretBox
from tests.conftest import one
from tests.factories import append_message, make_conversation, make_webhook
from tests.integration.ops.webhooks.conftest import Conn, crossfade
from tests.integration.webhooks.conftest import BOX, webhooks
from tests.servers.receivers import receiver, status


def shown_moment(text: str) -> str:
    return moment(datetime.fromisoformat(text))


@pytest.fixture
def box() -> SecretBox:
    return BOX


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
