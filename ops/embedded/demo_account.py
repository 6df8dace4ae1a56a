"""Demo account: an agent who owns it, client, key, conversation. Made by `up`, found again later.

The conversation is made over the REST API like anybody's, so its event is in the log.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from uuid import UUID

import psycopg
import requests

from gateway.database import Connection
from gateway.domain import key_text
from gateway.domain.accounts import UserScope
from gateway.domain.keys import NewKey, Scope
from gateway.store import keys as key_store
from gateway.store import users
from ops.embedded.credentials import Credentials
from ops.embedded.ready import Ready
from ops.embedded.services import Addresses
from ops.errors import OpsError
from ops.machine.private_files import write_private
from realtime_bridge.shared import sql

AGENT_EMAIL = "agent@example.com"
CLIENT_EMAIL = "client@example.com"
KEY_NAME = "demo"
SCOPES = tuple(Scope)  # it is there to try everything with
SERVES = (HTTPStatus.OK, HTTPStatus.TOO_MANY_REQUESTS)  # a used-up limit is no refusal
TIMEOUT_S = 10.0
_SQL = sql.Queries(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What an earlier run wrote down; the key's text exists nowhere else."""

    api_key: str
    conversation_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoAccount(_Kept):
    agent_id: UUID
    client_id: UUID


def ensure(addresses: Addresses, file: Path, key_env: str) -> DemoAccount:
    """Return the demo account; what is missing of it is made, and an older key may do what new ones may.

    Whoever tried `users forbid` or `users evict` on the client finds it let in again: it may be named, takes part in
    the conversation, and gets a new token at each start.
    """
    with psycopg.connect(addresses.database_url, autocommit=True) as connection:
        agent_id = _ensure_user(connection, AGENT_EMAIL)
        client_id = _ensure_user(connection, CLIENT_EMAIL)
        users.allow_users(connection, agent_id, [CLIENT_EMAIL])
        kept = _find_kept(file)
        if kept is None:
            users.set_scope(connection, UserScope.EVERYBODY)  # whoever signs up here is to be played with
        if kept is None or _ask(addresses, kept.api_key, "GET", f"/{kept.conversation_id}").status_code not in SERVES:
            _SQL.run(connection, "revoke_named", account=agent_id, name=KEY_NAME)
            api_key = _make_key(connection, agent_id, key_env)
            kept = _Kept(api_key=api_key, conversation_id=_make_conversation(addresses, api_key, client_id))
            write_private(file, json.dumps(asdict(kept)) + "\n")
        _SQL.run(connection, "widen_named", account=agent_id, name=KEY_NAME, scopes=list(SCOPES))
        path, taking_part = f"/{kept.conversation_id}/participants", {"userId": str(client_id), "role": "client"}
        _check(_ask(addresses, kept.api_key, "POST", path, taking_part), SERVES, "let the demo client in")
    return DemoAccount(agent_id=agent_id, client_id=client_id, **asdict(kept))


def describe(
    demo: DemoAccount,
    addresses: Addresses,
    credentials: Credentials,
    environment: Mapping[str, str],
    pids: dict[str, int],
) -> Ready:
    """Return the facts of the running stack; the users' tokens are new ones."""
    return Ready(
        gateway_url=addresses.url("gateway"),
        bridge_url=addresses.url("bridge"),
        metrics_url=f"{addresses.url('metrics')}/metrics",
        bridge_metrics_url=f"{addresses.url('bridge-metrics')}/metrics",
        supabase_url=addresses.url("supabase"),
        database_url=addresses.database_url,
        redis_url=addresses.redis_url,
        api_key=demo.api_key,
        **asdict(credentials),
        users=(credentials.user(demo.agent_id), credentials.user(demo.client_id)),
        conversation_id=demo.conversation_id,
        pids=pids,
        provider=environment["CHAT_REALTIME_PROVIDER"],
        key_env=environment["CROSSFADE_ENV"],
    )


def _ensure_user(connection: Connection, email: str) -> UUID:
    user_id: UUID = _SQL.get_value(connection, "ensure_user", email=email)
    return user_id


def _make_key(connection: Connection, account_id: UUID, key_env: str) -> str:
    key = key_text.mint(key_env)
    key_store.insert(connection, key, account_id, NewKey(name=KEY_NAME, scopes=SCOPES))
    return key.text


def _make_conversation(addresses: Addresses, api_key: str, client_id: UUID) -> int:
    taking_part = {"userId": str(client_id), "role": "client"}
    new = {"contactJid": CLIENT_EMAIL, "contactName": "Demo client", "participants": [taking_part]}
    answer = _ask(addresses, api_key, "POST", "", new)
    _check(answer, (HTTPStatus.CREATED,), "create the demo conversation")
    return int(answer.json()["data"]["id"])


def _check(answer: requests.Response, wanted: Collection[int], what: str) -> None:
    if answer.status_code not in wanted:
        raise OpsError(f"The gateway did not {what} ({answer.status_code}): {answer.text[:300]}")


def _ask(addresses: Addresses, api_key: str, method: str, path: str, body: object = None) -> requests.Response:
    url = f"{addresses.url('gateway')}/api/v1/chat/conversations{path}"
    return requests.request(method, url, json=body, headers={"X-API-Key": api_key}, timeout=TIMEOUT_S)


def _find_kept(file: Path) -> _Kept | None:
    try:
        return _Kept(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None
