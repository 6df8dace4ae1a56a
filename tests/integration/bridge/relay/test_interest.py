"""The relay of a sink that most accounts have no use for: theirs do not wake it, and nobody loses an event by that."""

import asyncio
import os
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import DictRow

from realtime_bridge.event_log.wakeup import CHANNEL, Wakeup
from realtime_bridge.relay import interest, loop
from realtime_bridge.relay.interest import Interest
from realtime_bridge.relay.loop import Relay
from realtime_bridge.shared.secrets import SecretBox
from realtime_bridge.webhooks.sink import WebhookSink
from tests.conftest import one
from tests.factories import append_message, make_conversation, make_user, make_webhook
from tests.relays import open_pool, running
from tests.waiting import eventually

FOR_EVER_S = 600.0


def test_only_whom_it_concerns_wakes_the_relay(
    database_url: str, conn: psycopg.Connection[DictRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose events went to a webhook are fanned out at once, without a poll; a stranger's wait until somebody looks."""
    account, stranger = make_user(conn), make_user(conn)
    ours, others = make_conversation(conn, account), make_conversation(conn, stranger)
    make_webhook(conn, account, "https://example.com/hook", SecretBox([os.urandom(32)]))

    def place() -> int:
        return int(one(conn, "select high_water from relay_cursors where sink = 'webhooks'")["high_water"])

    def newest() -> int:
        return int(one(conn, "select max(id) as id from chat_events")["id"])

    def fanned_out() -> int:
        return int(one(conn, "select count(*) as count from webhook_deliveries")["count"])

    async def scenario() -> None:
        sink = WebhookSink()
        append_message(conn, ours)
        async with open_pool(database_url) as pool:
            relay = Relay(sink=sink, pool=pool, owner="test", interest=sink.interest)
            asking = asyncio.create_task(Wakeup(database_url, {CHANNEL: [relay.wake]}).run())
            async with running(relay):
                await eventually(lambda: place() == newest(), "what lay in the log")
                monkeypatch.setattr(loop, "POLL_S", FOR_EVER_S)
                relay.wake()
                append_message(conn, ours)
                await eventually(lambda: fanned_out() == 2, "an account with a webhook to wake it")
                before = newest()
                append_message(conn, others)
                assert str(stranger) not in sink.interest
                relay.wake(str(stranger))
                append_message(conn, ours)
                await eventually(lambda: fanned_out() == 3, "the next of that account")
                assert place() == newest() > before, "a stranger's is passed over by the way"
            asking.cancel()

    asyncio.run(scenario())


def test_a_stranger_wakes_nobody() -> None:
    """Nothing is looked at for a stranger, all that is known for the others; unnamed news concerns everybody."""
    known, stranger = "3f0e8c5a-0000-4000-8000-000000000001", "3f0e8c5a-0000-4000-8000-000000000002"
    relay = Relay(sink=WebhookSink(), pool=None, owner="test", interest={known})  # type: ignore[arg-type]
    for named, is_woken in ((stranger, False), (known, True), ("", True)):
        relay._news.clear()
        relay.wake(named)
        assert relay._news.is_set() is is_woken, named


def test_who_loses_the_last_webhook_is_a_stranger_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was learned is what the last page said, and it does not grow without end."""
    accounts = [uuid4() for _ in range(4)]
    known = Interest()
    known.learn(accounts, accounts[:2])
    assert [str(account) in known for account in accounts] == [True, True, False, False]
    known.learn(accounts[:1], [])
    assert [str(account) in known for account in accounts] == [False, True, False, False]
    monkeypatch.setattr(interest, "MOST", 0)
    known.learn(accounts[2:], accounts[2:])
    assert [str(account) in known for account in accounts] == [False, False, True, True]
