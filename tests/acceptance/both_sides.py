"""An account whose three users listen on both sides, with the official JavaScript clients."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
import requests

from realtime_bridge.shared.tokens import mint_user_token
from tests.acceptance.stack import Stack
from tests.clients.node import NodeScript

CONVERSATIONS = 50
READY_TIMEOUT_S = 60.0
SIDES = ("supabase", "legacy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account of its own, so that tests do not share limits or conversations."""

    owner: str
    members: tuple[str, str]
    api_key: str
    conversations: tuple[int, ...]

    def of(self, user: str) -> tuple[int, ...]:
        """The conversations that a user takes part in: the owner in all, each member in every second one."""
        if user == self.owner:
            return self.conversations
        return self.conversations[self.members.index(user) :: 2]


def make_account(stack: Stack) -> Account:
    """Make an owner, two members and the conversations that they share with the owner."""
    owner, *members = (str(uuid4()) for _ in range(3))
    with psycopg.connect(stack.ready["databaseUrl"]) as connection:
        for user in (owner, *members):
            connection.execute(
                "insert into auth.users (id, aud, role, email, raw_app_meta_data)"
                " values (%s, 'authenticated', 'authenticated', %s, jsonb_build_object('chat_accounts', %s::text))",
                (user, f"{user}@example.com", owner),
            )
    api_key = stack.create_key(account=owner)
    conversations = tuple(create_conversation(stack, api_key, [members[number % 2]]) for number in range(CONVERSATIONS))
    return Account(owner=owner, members=(members[0], members[1]), api_key=api_key, conversations=conversations)


def create_conversation(stack: Stack, api_key: str, members: Sequence[str]) -> int:
    answer = requests.post(
        f"{stack.ready['gatewayUrl']}/api/v1/chat/conversations",
        headers={"X-API-Key": api_key},
        json={
            "contactJid": "someone@example.com",
            "participants": [{"userId": member, "role": "client"} for member in members],
        },
        timeout=10,
    )
    assert answer.status_code == 201, answer.text
    return int(answer.json()["data"]["id"])


def listener(stack: Stack, account: Account, user: str, *, catch_up: bool) -> NodeScript:
    """Start a user's two JavaScript clients, in all conversations the user takes part in."""
    return open_listener(stack, user, account.of(user), api_key=account.api_key if catch_up else None)


def open_listener(
    stack: Stack, user: str, conversations: Sequence[int], *, api_key: str | None = None, sides: Sequence[str] = SIDES
) -> NodeScript:
    """Start a user's JavaScript clients; with a key they catch up over REST."""
    ready = stack.ready
    config = {
        "supabaseUrl": ready["supabaseUrl"],
        "anonKey": ready["anonKey"],
        "token": mint_user_token(ready["jwtSecret"], UUID(user), 3_600),
        "bridgeUrl": ready["bridgeUrl"],
        "gatewayUrl": ready["gatewayUrl"],
        "apiKey": api_key,
        "conversations": conversations,
        "catchUp": api_key is not None,
        "sides": sides,
    }
    return NodeScript("chat/listener.mjs", json.dumps(config))


@contextlib.contextmanager
def listening(stack: Stack, account: Account, *, catch_up: bool) -> Iterator[dict[str, NodeScript]]:
    """All three users listen on both sides until the block ends."""
    with contextlib.ExitStack() as scripts:
        listeners = {
            user: scripts.enter_context(listener(stack, account, user, catch_up=catch_up))
            for user in (account.owner, *account.members)
        }
        for script in listeners.values():
            script.wait_for(lambda line: line["type"] == "ready", READY_TIMEOUT_S)
        yield listeners


def shown(script: NodeScript) -> list[dict[str, Any]]:
    script.read_available()
    return [line for line in script.lines if line["type"] == "message"]
