"""What a client's script asks its test for: SQL, HTTP, a fresh token, a restart of the endpoint."""

import itertools
import json
import time
import urllib.request
import uuid
from typing import Any

import jwt
import psycopg

from ops.local_supabase.launcher import LocalSupabase

PROJECT_SQL = b"""
create policy guests_read on realtime.messages for select to authenticated
    using (realtime.topic() = 'guest:' || auth.uid());
create policy guests_write on realtime.messages for insert to authenticated
    with check (realtime.topic() = 'guest:' || auth.uid());
"""
_numbers = itertools.count(1)


class Guest:
    """One user; `topic` is readable and writable for it alone, `table` is in the publication."""

    def __init__(self, running: LocalSupabase) -> None:
        self.running = running
        self.user_id = str(uuid.uuid4())
        self.topic = f"guest:{self.user_id}"
        self.email = f"guest-{next(_numbers)}-{uuid.uuid4().hex[:6]}@example.com"
        self.table = f"items_{uuid.uuid4().hex[:8]}"
        with psycopg.connect(running.facts.db_url, autocommit=True) as connection:
            connection.execute(f"create table public.{self.table} (id int primary key, label text)".encode())
            connection.execute(f"grant select on public.{self.table} to anon, authenticated".encode())
            connection.execute(f"alter publication supabase_realtime add table public.{self.table}".encode())

    def token(self, ttl_s: int = 3600) -> str:
        now = int(time.time())
        claims = {"sub": self.user_id, "role": "authenticated", "aud": "authenticated", "jti": uuid.uuid4().hex}
        return jwt.encode({**claims, "iat": now, "exp": now + ttl_s}, self.running.facts.jwt_secret, "HS256")

    def options(self, **more: Any) -> dict[str, Any]:
        """What a script needs to begin."""
        facts = self.running.facts
        return {
            "url": facts.api_url,
            "key": facts.publishable_key,
            "token": self.token(),
            "topic": self.topic,
            "table": self.table,
            "email": self.email,
            **more,
        }

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Do what a script asks."""
        if "sql" in question:
            self.execute(question["sql"], question["values"])
        elif "http" in question:
            return {"status": self.post(question["http"])}
        elif "token" in question:
            return {"token": self.token()}
        elif "restart" in question:
            self.running.restart_endpoint()
        return {}

    def execute(self, statement: str, values: list[Any]) -> None:
        with psycopg.connect(self.running.facts.db_url, autocommit=True) as connection:
            connection.execute(statement.encode(), values or None)

    def post(self, body: dict[str, Any]) -> int:
        facts = self.running.facts
        request = urllib.request.Request(
            f"{facts.api_url}/realtime/v1/api/broadcast",
            data=json.dumps(body).encode(),
            headers={"apikey": facts.service_role_key, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return int(response.status)
