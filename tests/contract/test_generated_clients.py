"""Clients that others' generators make of the document, in TypeScript and in Python: they compile and run."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.clients.packages import HERE, NODE, install
from tests.contract.conftest import WUZAPI_URL, Served

GENERATED = HERE / "generated"
TIMEOUT_S = 100
UNREADABLE = "Unsupported content_type application/x-ndjson"  # which that generator knows nothing of
PREAMBLE = """
import createClient from 'openapi-fetch'
import type { paths } from './api.ts'
declare const process: { env: { API: string; KEY: string } }
const client = createClient<paths>({ baseUrl: process.env.API, headers: { 'X-API-Key': process.env.KEY } })
const tell = (name: string, one: { response: Response }) => console.log(JSON.stringify([name, one.response.status]))
"""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(TIMEOUT_S * 3)]


def test_a_typescript_client_compiles_and_runs(served: Served, tmp_path: Path) -> None:
    """Strictly. The plainest call of each operation has the fields that are required, and no others; what is answered
    has its types, events are told apart by theirs, and what was made has an address.
    """
    install()
    shutil.copytree(GENERATED, tmp_path, dirs_exist_ok=True)
    (tmp_path / "node_modules").symlink_to(HERE / "node_modules")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    _run(tmp_path, _tool("openapi-typescript/bin/cli.js"), f"{served.url}/api/v1/openapi.json", "--output", "api.ts")
    calls = dict(_plainest(served))
    assert len(calls) >= 22
    (tmp_path / "calls.ts").write_text(PREAMBLE + "\n".join(calls.values()))
    _run(tmp_path, _tool("typescript/bin/tsc"))
    answers = [json.loads(line) for line in _run(tmp_path, "calls.ts", served=served).splitlines()]
    assert [name for name, _ in answers] == list(calls)
    assert [(name, status) for name, status in answers if not 200 <= status < 300] == []
    seen = json.loads(_run(tmp_path, "chat.ts", served=served))
    assert served.ask("GET", seen.pop("location").removeprefix("/api/v1/chat"))["content"] == "Hello, Ana"
    assert seen == {
        "seq": 1,
        "edited": "Hello, Ana",
        "imported": 1,
        "told": ["message.new Hello", "message.updated Hello, Ana"],
        "refused": "/content",
    }


def test_a_python_client_is_made_and_chats(served: Served, tmp_path: Path) -> None:
    """By openapi-python-client; each of its modules can be imported."""
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(served.document()))
    (tmp_path / "config.yml").write_text("post_hooks: []\n")
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", document, "--meta", "none"]
    command += ["--output-path", tmp_path / "crossfade_client", "--config", tmp_path / "config.yml"]
    said = _call(command, tmp_path).stderr
    assert said.count("WARNING") == said.count(UNREADABLE) == 1, said
    script = [sys.executable, GENERATED / "chat.py"]
    seen = json.loads(_call(script, tmp_path, API=served.url, KEY=served.key, PYTHONPATH=str(tmp_path)).stdout)
    assert seen == {"seq": 1, "edited": "Hello, Ana", "told": "Hello", "refused": "/content"}


def _plainest(served: Served) -> Iterator[tuple[str, str]]:
    """Each operation with a body, by name, as a line of TypeScript that asks for it."""
    document, (message, *_) = served.document(), served.ask("GET", f"/conversations/{served.conversation}/messages")
    channel = {"name": "another", "baseUrl": WUZAPI_URL, "token": "t"}
    ids = {
        "conversation_id": served.conversation,
        "message_id": message["id"],
        "key_id": served.ask("POST", "/keys", {"name": "old", "scopes": ["chat:read"]})["id"],
        "webhook_id": served.ask("POST", "/webhooks", {"url": "https://example.com/hooks"})["id"],
        "channel_id": served.ask("POST", "/channels", channel)["id"],
    }
    an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    true = {"userId": str(served.member), "seq": 1, "since": an_hour_ago}  # where examples name what nobody has
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if "requestBody" not in operation:
                continue
            content = operation["requestBody"]["content"]["application/json"]
            schema = document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
            fields = schema.get("required") or list(content["example"])[: schema.get("minProperties", 0)]
            body = {field: true.get(field, content["example"][field]) for field in fields}
            places = {"path": {one: ids[one] for one in ids if f"{{{one}}}" in path}}
            if any(one["required"] for one in operation["parameters"] if one["in"] == "header"):
                places["header"] = {"If-Match": "*"}
            sent = json.dumps({"body": body, "params": places} if any(places.values()) else {"body": body})
            name = json.dumps(operation["operationId"])
            yield operation["operationId"], f"tell({name}, await client.{method.upper()}({json.dumps(path)}, {sent}))"


def _tool(path: str) -> str:
    return str(HERE / "node_modules" / path)


def _run(directory: Path, *words: str, served: Served | None = None) -> str:
    """Run a program of Node, by default for nobody."""
    return _call([NODE, *words], directory, **({"API": served.url, "KEY": served.key} if served else {})).stdout


def _call(command: list[Any], directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")} | variables
    run = subprocess.run(
        [str(word) for word in command],
        cwd=directory,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert run.returncode == 0, (run.stdout + run.stderr)[-6_000:]
    return run
