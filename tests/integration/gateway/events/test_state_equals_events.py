"""State equals events, in the manner of Zulip's `verify_action`: who applies the events to an old copy has the new one.

Random actions by random callers: two accounts with two keys each, a messenger that brings and reports, and the clock
that wakes who sleeps. Consumers of each account: one reads GET /events; one hears what is broadcast to the account's
inbox, some of it twice and late, and sometimes begins anew with a copy that is newer than what it hears first.
"""

import inspect
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test
from psycopg.rows import DictRow

from gateway.app import ROUTES
from gateway.http.routes import Proof
from tests.chat_state import ChatState
from tests.factories import make_key, make_user
from tests.integration.gateway.conftest import Account, data
from tests.integration.gateway.events.walk import SILENT, WRITING, Channel, Consumer, Walk, inbox
from tests.servers.wuzapi_server import message as wuzapi_message
from tests.servers.wuzapi_server import receipt as wuzapi_receipt

EXAMPLES = int(os.environ.get("CROSSFADE_TEST_EXAMPLES", "12"))  # 500 are the full size
STEPS = 25
CONTENTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=150).filter(str.strip)
NUMBERS = st.integers(0, 30)  # picks one of what is there
PRIORITIES = st.sampled_from(["low", "normal", "high", "urgent"])
TIMES = st.sampled_from(["2019-05-06T07:08:09Z", "2021-01-01T00:00:00.5Z", "2023-12-24T18:00:00+02:00"])


PDF = b"%PDF-1.7 and so on"


class Desk(Walk):
    """The actions, and what is true after each."""

    @initialize()
    def open(self) -> None:
        self.conn.execute("delete from conversations")
        self.callers = []
        for _ in range(2):
            owner = self.new_account()
            again = Account(id=owner.id, key=make_key(self.conn, owner.id), client=owner.client)
            self.callers += [owner, again]
        self.channels = [Channel(caller) for caller in self.callers[::2]]
        owners = [caller.id for caller in self.callers[::2]]
        self.people = [make_user(self.conn, accounts=owners) for _ in range(2)]
        for caller in self.callers[::2]:
            conversation = caller.make_conversation()
            caller.send(conversation, direction="incoming")
        self.begun_at = self.newest()
        self.by_events = [Consumer(caller) for caller in self.callers[::2]]
        self.by_broadcast = [Consumer(caller) for caller in self.callers[::2]]
        self.heard_upto = self.begun_at

    @rule(caller=NUMBERS, participant=st.booleans(), agent=st.booleans(), priority=PRIORITIES)
    def create(self, caller: int, participant: bool, agent: bool, priority: str) -> None:
        people = [{"userId": str(self.people[0]), "role": "agent"}] if participant else []
        body = {"contactJid": "c@x", "participants": people, "priority": priority}
        body |= {"assignedAgentId": str(self.people[1])} if agent else {}
        self.ask("conversations.create_conversation", caller, None, body)

    @rule(
        caller=NUMBERS,
        conversation=NUMBERS,
        content=CONTENTS,
        incoming=st.booleans(),
        name=st.sampled_from([None, "a", "b"]),
    )
    def send(self, caller: int, conversation: int, content: str, incoming: bool, name: str | None) -> None:
        body = {"content": content, "direction": "incoming" if incoming else "outgoing", "clientMessageId": name}
        self.ask("messages.send_message", caller, conversation, body)

    @rule(
        caller=NUMBERS,
        conversation=NUMBERS,
        message=NUMBERS,
        status=st.sampled_from(["sent", "delivered", "read", "failed"]),
        provider_id=st.sampled_from([None, "p1", "p2"]),
    )
    def move(self, caller: int, conversation: int, message: int, status: str, provider_id: str | None) -> None:
        body = {"status": status, "providerMessageId": provider_id}
        self.ask("messages.change_status", caller, conversation, body, message=message)

    @rule(caller=NUMBERS, conversation=NUMBERS, message=NUMBERS, content=CONTENTS)
    def edit(self, caller: int, conversation: int, message: int, content: str) -> None:
        self.ask("messages.edit_message", caller, conversation, {"content": content}, message=message)

    @rule(caller=NUMBERS, conversation=NUMBERS, message=NUMBERS)
    def delete(self, caller: int, conversation: int, message: int) -> None:
        self.ask("messages.delete_message", caller, conversation, None, message=message)

    @rule(
        caller=NUMBERS,
        conversation=NUMBERS,
        body=st.fixed_dictionaries(
            {},
            optional={
                "status": st.sampled_from(["open", "pending", "resolved", "snoozed"]),
                "priority": PRIORITIES,
                "contactName": st.none() | st.sampled_from(["Ann", "Ben"]),
            },
        ).filter(bool),
    )
    def patch(self, caller: int, conversation: int, body: dict[str, Any]) -> None:
        self.ask("conversations.change_conversation", caller, conversation, body)

    @rule(caller=NUMBERS, conversation=NUMBERS)
    def snooze_and_wake(self, caller: int, conversation: int) -> None:
        """Somebody puts a conversation to sleep; then its time comes."""
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        body = {"status": "snoozed", "snoozedUntil": tomorrow.isoformat()}
        chosen = self.ask("conversations.change_conversation", caller, conversation, body)
        self.conn.execute("update conversations set snoozed_until = now() where id = %s", (chosen,))
        self.conn.execute("select crossfade.wake_conversations(10)")

    @rule(caller=NUMBERS, conversation=NUMBERS, agent=st.booleans(), bot=st.sampled_from([None, "helper"]))
    def assign(self, caller: int, conversation: int, agent: bool, bot: str | None) -> None:
        body = {"agentId": str(self.people[0]) if agent else None, "botId": bot}
        self.ask("conversations.assign_conversation", caller, conversation, body)

    @rule(caller=NUMBERS, conversation=NUMBERS, who=st.integers(0, 1), role=st.sampled_from(["agent", "client"]))
    def let_in(self, caller: int, conversation: int, who: int, role: str) -> None:
        self.ask("participants.put_participant", caller, conversation, {"userId": str(self.people[who]), "role": role})

    @rule(caller=NUMBERS, conversation=NUMBERS, who=st.integers(0, 1))
    def let_go(self, caller: int, conversation: int, who: int) -> None:
        self.ask("participants.remove_participant", caller, conversation, None, user_id=self.people[who])

    @rule(caller=NUMBERS, conversation=NUMBERS, who=st.sampled_from([None, 0, 1]), seq=NUMBERS)
    def read(self, caller: int, conversation: int, who: int | None, seq: int) -> None:
        reader = {} if who is None else {"userId": str(self.people[who])}
        self.ask("participants.mark_read", caller, conversation, {"seq": seq, **reader})

    @rule(
        caller=NUMBERS,
        conversation=NUMBERS,
        times=st.lists(TIMES, min_size=1, max_size=3),
        incoming=st.booleans(),
        status=st.sampled_from(["delivered", "read"]),
        announce=st.booleans(),
        name=st.sampled_from([None, "a"]),
    )
    def bring(
        self,
        caller: int,
        conversation: int,
        times: list[str],
        incoming: bool,
        status: str,
        announce: bool,
        name: str | None,
    ) -> None:
        direction = "incoming" if incoming else "outgoing"
        items = [
            {
                "content": f"then {at}",
                "createdAt": at,
                "direction": direction,
                "status": status,
                "clientMessageId": name,
            }
            for at in times
        ]
        self.ask("imports.import_messages", caller, conversation, {"messages": items, "announce": announce})

    @rule(caller=NUMBERS, conversation=NUMBERS, name=st.sampled_from([None, "a"]))
    def send_file(self, caller: int, conversation: int, name: str | None) -> None:
        """Announced, uploaded, confirmed and sent; with a name that was used, it may be refused."""
        account = self.caller(caller)
        file = {"fileName": "a.pdf", "contentType": "application/pdf", "sizeBytes": len(PDF)}
        announced = data(account.post("/attachments", file))
        upload = announced["upload"]
        account.client.put(urlsplit(upload["url"]).path, data=PDF, headers=upload["headers"])
        assert account.post(f"/attachments/{announced['id']}/confirm").status_code == 200
        body = {"content": "", "messageType": "document", "attachmentIds": [announced["id"]], "clientMessageId": name}
        self.ask("messages.send_message", caller, conversation, body)

    @rule(channel=st.integers(0, 1), number=st.integers(0, 3), text=CONTENTS)
    def write_in(self, channel: int, number: int, text: str) -> None:
        """A customer writes by messenger: a conversation of its own, and now and then the same message twice."""
        self.channels[channel].tell(wuzapi_message(f"3EB{number}", text))

    @rule(channel=st.integers(0, 1), number=st.integers(0, 3), text=st.none() | CONTENTS)
    def think_again(self, channel: int, number: int, text: str | None) -> None:
        """On their phone a customer takes a message back, or says something else instead."""
        again = {"type": 0} if text is None else {"type": 14, "editedMessage": {"conversation": text}}
        document = wuzapi_message(f"3EC{uuid4().hex}")
        document["event"]["Message"] = {"protocolMessage": {"key": {"ID": f"3EB{number}"}, **again}}
        self.channels[channel].tell(document)

    @rule(channel=st.integers(0, 1), state=st.sampled_from(["Delivered", "Read", "ReadSelf"]))
    def receive(self, channel: int, state: str) -> None:
        """The messenger tells what became of messages, of its own and of those that `move` gave an id of it."""
        self.channels[channel].tell(wuzapi_receipt(state, "3EB0", "3EB1", "p1", "p2"))

    @rule(message=NUMBERS, status=st.sampled_from(["sent", "delivered", "read", "failed"]))
    def report(self, message: int, status: str) -> None:
        """A provider's receipt moves a message, not over HTTP."""
        ids = [row["id"] for row in self.conn.execute("select id from chat_messages order by id")]
        chosen = ids[message % len(ids)]
        self.conn.execute("select crossfade.append_provider_status(%s, %s, null, null, 'wuzapi')", (chosen, status))

    @rule()
    def ask_anew(self) -> None:
        """A consumer that reconnects takes a new copy, and then hears again what it heard before."""
        for consumer in self.by_broadcast:
            consumer.state = ChatState.fetch(consumer.get)
        self.heard_upto = self.begun_at

    @rule()
    def compare(self) -> None:
        """Whoever applied the events has what is fetched now."""
        said = self.said_since(self.heard_upto)
        self.heard_upto = self.newest()
        for reader, hearer in zip(self.by_events, self.by_broadcast, strict=True):
            fresh = ChatState.fetch(reader.get)
            reader.catch_up()
            mine = [event for event in said if event.account_id == reader.account.id]
            hearer.hear(inbox(mine, repeat=1))
            hearer.hear(inbox(mine, repeat=2))
            for consumer in (reader, hearer):
                assert consumer.state.conversations == fresh.conversations
                assert consumer.state.messages == fresh.messages

    @invariant()
    def numbers_have_no_gap(self) -> None:
        """In every conversation, events count from 0 to last_seq; and unread_count is what the rows say."""
        wrong = self.conn.execute(
            """
            select c.id from conversations c
            where c.last_seq + 1 <> (select count(distinct e.seq) from chat_events e where e.conversation_id = c.id)
                or c.last_seq <> (select max(e.seq) from chat_events e where e.conversation_id = c.id)
                or c.unread_count <> (
                    select count(*) from chat_messages m
                    where m.conversation_id = c.id and crossfade.is_unread(m, c.read_seq)
                )
            """
        ).fetchall()
        assert wrong == []

    def teardown(self) -> None:
        if hasattr(self, "by_events"):
            self.compare()


def test_no_action_is_forgotten(app: Flask) -> None:
    """Every route that changes something is either among the random actions, or known to tell of nothing."""
    asked = set(re.findall(r'self\.ask\(\s*"([\w.]+)"', inspect.getsource(Desk)))
    changing = {route.endpoint for route in ROUTES if route.proof is Proof.KEY and route.method in WRITING}
    assert changing - SILENT == asked


def test_state_equals_events(
    app: Flask, conn: psycopg.Connection[DictRow], new_account: Callable[..., Account]
) -> None:
    """Random actions by random callers: applying the events to an old copy gives what is fetched afresh."""
    Desk.app, Desk.conn, Desk.new_account = app, conn, staticmethod(new_account)
    run_state_machine_as_test(
        Desk,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_conversation_and_its_messages_are_told_whole(account: Account) -> None:
    """The consumer's copy is not equal for want of content: all fields of the answers are in it."""
    conversation = account.make_conversation()
    sent = account.send(conversation, clientMessageId=str(uuid4()))
    state = ChatState.fetch(lambda path: account.get(path).get_json())
    assert state.conversations[conversation] == data(account.get(f"/conversations/{conversation}"))
    assert state.messages[conversation][sent["id"]].keys() == sent.keys() - {"seq", "eventId"}
