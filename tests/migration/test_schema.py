"""The schema in one readable file, as the migrations leave it."""

import os
import re
import subprocess
from pathlib import Path

import migrations
from ops.machine.postgres import binaries

FILE = Path(migrations.__file__).parent / "schema.sql"
HEAD = """-- The schema as it is, for reading: what all migrations together leave behind, drawn by a test with pg_dump.
-- Nothing runs it. After a migration: CROSSFADE_DRAW=1 ./ops/test tests/migration/test_schema.py
-- Partitions are left out: they are made by the week.

"""
PARTITIONS = ("chat_events", "webhook_attempts", "webhook_deliveries")
POLICIES = """
select format('CREATE POLICY %I ON realtime.messages FOR %s TO %s%s%s;', policyname, cmd, array_to_string(roles, ', '),
    ' USING (' || qual || ')', ' WITH CHECK (' || with_check || ')')
from pg_policies where schemaname = 'realtime' and tablename = 'messages' order by policyname
"""
NOISE = re.compile(
    r"^(--\n-- (Name|PostgreSQL|Dumped).*\n--\n|-- Dumped.*\n|\\(un)?restrict.*\n|SET .*\n|SELECT pg_catalog.*\n)",
    re.MULTILINE,
)


def test_the_schema_is_written_down_as_it_is(database_url: str) -> None:
    """CROSSFADE_DRAW=1 draws it anew."""
    drawn = HEAD + dumped(database_url)
    if os.environ.get("CROSSFADE_DRAW"):
        FILE.write_text(drawn)
    assert FILE.read_text() == drawn, "CROSSFADE_DRAW=1 draws the schema anew"


def dumped(url: str) -> str:
    """Return what belongs to us, and our policies on Realtime's messages, without what a dump says of itself."""
    without = [f"--exclude-table=crossfade.{name}_*" for name in PARTITIONS]
    text = run("pg_dump", "--schema-only", "--no-owner", "-n", "public", "-n", "crossfade", *without, url)
    policies = run("psql", "-X", "-At", "-c", POLICIES, url)
    return re.sub(r"\n{3,}", "\n\n", NOISE.sub("", text)).strip() + "\n\n" + policies


def run(program: str, *arguments: str) -> str:
    command = [str(binaries() / program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
