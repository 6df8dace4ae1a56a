"""The real gateway with everything configured, an account on it and one of each thing that a route may name."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.factories import append_message, make_conversation, make_key, make_user
from tests.servers.gateway_server import GatewayServer, serve

WUZAPI_URL = "https://wuzapi.example.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    server: GatewayServer
    account: UUID
    key: str
    member: UUID
    conversation: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def document(self) -> dict[str, Any]:
        return self.server.request("GET", "/api/v1/openapi.json")[1]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return `data` of an answer that succeeds."""
        status, answer, _ = self.server.request(method, f"/api/v1/chat{path}", self.key, body)
        assert status < 300, answer
        return answer["data"]


@pytest.fixture
def served(tmp_path: Path, database_url: str, redis_url: str, conn: psycopg.Connection[DictRow]) -> Iterator[Served]:
    account, member = make_user(conn), make_user(conn)
    key = make_key(conn, account)
    conversation = make_conversation(conn, account, member)
    append_message(conn, conversation)
    variables = {
        "CROSSFADE_FAILED_AUTH_PER_MIN": "10000",
        "CROSSFADE_NEW_KEYS_PER_HOUR": "10000",
        "CROSSFADE_STORAGE": "directory",
        "CROSSFADE_STORAGE_DIR": str(tmp_path / "files"),
        "CROSSFADE_SECRETS_KEY": base64.b64encode(b"k" * 32).decode(),
        "CROSSFADE_WUZAPI_URLS": WUZAPI_URL,
        "SUPABASE_URL": "https://project.supabase.example",
        "SUPABASE_JWT_SECRET": "a-secret-of-at-least-thirty-two-characters",
    }
    with serve(tmp_path, database_url, f"{redis_url}?db=7", **variables) as server:
        yield Served(server=server, account=account, key=key, member=member, conversation=conversation)
