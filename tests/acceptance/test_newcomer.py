"""A newcomer's path: from `up` to a sent message, an edited one and caught-up events, with nothing but the docs."""

import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.acceptance.stack import Stack

README = (Path(__file__).parents[2] / "README.md").read_text()
TIMEOUT_S = 60


def _get(url: str) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(url, timeout=10)
    assert answer.status_code == 200
    return answer


def _run(command: list[str], **variables: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")} | variables
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.mark.slow
def test_the_lines_on_the_docs_page_work(stack: Stack) -> None:
    """Pasted into a shell with the key and the conversation that the banner shows: sent, edited, caught up."""
    page = _get(f"{stack.ready['gatewayUrl']}/docs").text
    found = re.search(r'<section id="start">.*?<pre><code>(.*?)</code>', page, re.DOTALL)
    assert found is not None
    facts = {
        "cf_dev_…": stack.ready["apiKey"],
        "CONVERSATION=1": f"CONVERSATION={stack.ready['conversationId']}",
    }
    script = html.unescape(found[1])
    assert f"API={stack.ready['gatewayUrl']}/api/v1/chat\n" in script
    for printed, own in facts.items():
        assert printed in script
        script = script.replace(printed, own)
    sent, edited, caught_up = _run(["bash", "-eu", "-c", script]).replace('{"success"', '\n{"success"').split("\n{")[1:]
    assert json.loads(f"{{{sent}")["data"]["content"] == "Hello"
    assert json.loads(f"{{{edited}")["data"]["content"] == "Hello again"
    events = json.loads(f"{{{caught_up}")["data"]
    told = [(event["type"], event["data"].get("content")) for event in events if event["type"].startswith("message.")]
    assert told == [("message.new", "Hello"), ("message.updated", "Hello again")]


@pytest.mark.slow
def test_the_document_alone_leads_there(stack: Stack) -> None:
    """Whoever has the OpenAPI document finds the operations by their words and sends their examples."""
    base = stack.ready["gatewayUrl"]
    document = _get(f"{base}/api/v1/openapi.json").json()

    def call(summary: str, query: str = "", headers: dict[str, str] | None = None, **ids: Any) -> requests.Response:
        path, method, operation = next(
            (path, method, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if operation["summary"] == summary
        )
        for name, value in ids.items():
            path = path.replace(f"{{{name}}}", str(value))
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
        with requests.Session() as session:
            session.trust_env = False
            sent = {"X-API-Key": stack.ready["apiKey"]} | (headers or {})
            return session.request(method, f"{base}{path}{query}", json=body, headers=sent, timeout=30)

    cursor = call("Catch up with events", "?after=latest").json()["pagination"]["nextCursor"]
    conversation = call("Create a conversation").json()["data"]["id"]
    message = call("Send a message", conversation_id=conversation).json()["data"]["id"]
    tag = call("Get a message", conversation_id=conversation, message_id=message).headers["ETag"]
    edited = call("Edit a message", conversation_id=conversation, message_id=message, headers={"If-Match": tag})
    assert edited.json()["data"]["editedAt"]
    events = call("Catch up with events", f"?after={cursor}&wait=5").json()["data"]
    types = [event["type"] for event in events]
    assert [word for word in types if word != "conversation.updated"] == [
        "conversation.new",
        "message.new",
        "message.updated",
    ]


@pytest.mark.slow
def test_the_quick_start_of_the_readme_runs(stack: Stack) -> None:
    """As it is printed there, with `requests` and nothing of ours."""
    (program,) = [text for text in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "import requests" in text]
    api = f"{stack.ready['gatewayUrl']}/api/v1/chat"
    output = _run([sys.executable, "-c", program], API=api, KEY=stack.ready["apiKey"])
    told = [line.split(" ", 2) for line in output.splitlines()]
    assert ["1", "message.new", "Hello"] in told
    assert ["2", "message.updated", "Hello, Ana"] in told
