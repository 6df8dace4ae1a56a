"""The same request for curl, Python and JavaScript, ready to be pasted. Pure."""

import json
import pprint
import shlex
from collections.abc import Mapping
from typing import Any

BASE = "http://127.0.0.1:8000"  # as it is written here; a page is sent with the address it was asked for under
KEY = "cf_dev_…"
PYTHON_WIDTH = 88
# What stands in a path where a reader puts an id of their own.
IDS = {
    "attachment_id": "2f1c8a9e-3b4d-4c5e-8f60-718293a4b5c6",
    "channel_id": "2f1c8a9e-3b4d-4c5e-8f60-718293a4b5c6",
    "user_id": "2f1c8a9e-3b4d-4c5e-8f60-718293a4b5c6",
    "key_id": "O7KDmPCYMTlm",
}


def snippets(path: str, method: str, operation: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return the operation's request in each language: its name for the highlighter, its title, the text.

    With ids in its path, and its own example as the body.
    """
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    headers = {"X-API-Key": KEY}
    for one in operation["parameters"]:
        if one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", IDS.get(one["name"], "1"))
        elif one["name"] == "If-Match":
            headers["If-Match"] = "*"
    if missing := [one["name"] for one in operation["parameters"] if one["in"] == "query" and one["required"]]:
        path += "?" + "&".join(f"{name}=hello" for name in missing)
    request = (method, f"{BASE}{path}", headers, body)
    return [
        ("curl", "curl", _curl(*request)),
        ("python", "Python", _python(*request)),
        ("javascript", "JavaScript", _javascript(*request)),
    ]


def _curl(method: str, url: str, headers: dict[str, str], body: Any) -> str:
    verb = "" if method == ("GET" if body is None else "POST") else f" -X {method}"
    lines = [f"curl{verb} {_quoted(url)}", *(f"-H '{name}: {value}'" for name, value in headers.items())]
    if body is not None:
        lines += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(_json(body))}"]
    return " \\\n  ".join(lines)


def _python(method: str, url: str, headers: dict[str, str], body: Any) -> str:
    arguments = [json.dumps(url), f"headers={_literal(headers)}"]
    if body is not None:
        arguments.append(f"json={_literal(body)}")
    inner = "".join(f"    {argument},\n" for argument in arguments)
    call = f"answer = requests.{method.lower()}(\n{inner})"
    return f"import requests\n\n{call}\nprint(answer.status_code, answer.text)"


def _javascript(method: str, url: str, headers: dict[str, str], body: Any) -> str:
    lines = [] if method == "GET" else [f"method: {json.dumps(method)},"]
    lines.append(f"headers: {_json(headers | ({'Content-Type': 'application/json'} if body is not None else {}))},")
    if body is not None:
        lines.append(f"body: JSON.stringify({_json(body)}),")
    inner = "".join(f"  {line}\n" for line in lines)
    return (
        f"// For Node.js 18 or newer: a key does not belong into a web page.\n"
        f"const answer = await fetch({json.dumps(url)}, {{\n{inner}}})\n"
        "console.log(answer.status, await answer.text())"
    )


def _quoted(url: str) -> str:
    return f"'{url}'" if "?" in url or "&" in url else url


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _literal(value: object) -> str:
    """Return a Python literal, on lines that fit behind an indent."""
    return pprint.pformat(value, width=PYTHON_WIDTH, sort_dicts=False).replace("\n", "\n    ")
