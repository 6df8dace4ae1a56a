"""One route on its page: what it does, its fields, requests to paste, a form to try it, and its answers. Pure."""

import json
from html import escape
from typing import Any

from gateway.openapi.pages.fields import Schema, fields, kind_of, resolve
from gateway.openapi.pages.snippets import Request, snippets
from gateway.openapi.pages.text import block, inline, paragraphs

TITLES = {"curl": "curl", "python": "Python", "javascript": "JavaScript"}


def operation(path: str, method: str, described: Schema, components: Schema) -> str:
    old = ' class="old"' if described.get("deprecated") else ""
    schemas = components["schemas"]
    return (
        f'<section id="{escape(described["operationId"])}"><h2{old}>{escape(described["summary"])}</h2>'
        f"{route(path, method)}{paragraphs(described['description'])}"
        f"{_parameters(described['parameters'], schemas)}{_body(described, schemas)}"
        f"{_examples(Request.of(method, path, described))}{_form(path, method, described)}"
        f"{_answers(described, components)}</section>"
    )


def route(path: str, method: str) -> str:
    return f'<p class="route"><code><span class="method">{method}</span> {escape(path)}</code></p>'


def _parameters(parameters: list[Schema], schemas: Schema) -> str:
    rows = "".join(
        f"<div><dt><code>{escape(one['name'])}</code></dt> "
        f'<span class="kind">{one["in"]}, {kind_of(one["schema"], schemas)}</span>{_must(one)}'
        f"<dd>{inline(one['description'])}</dd></div>"
        for one in parameters
    )
    return f'<h3>Parameters</h3><dl class="fields">{rows}</dl>' if rows else ""


def _must(parameter: Schema) -> str:
    return ' <span class="must">required</span>' if parameter.get("required") else ""


def _content(described: Schema) -> Schema:
    found: Schema = described.get("requestBody", {}).get("content", {}).get("application/json", {})
    return found


def _body(described: Schema, schemas: Schema) -> str:
    content = _content(described)
    if not content:
        return ""
    model = resolve(content["schema"], schemas)
    words = paragraphs(model.get("description", ""))
    return f"<h3>Body</h3>{words}{fields(model, schemas, is_request=True)}"


def _examples(request: Request) -> str:
    shown = "".join(f"<b>{TITLES[language]}</b>{block(text, language)}" for language, text in snippets(request).items())
    return f'<h3>Request</h3><div class="snippets">{shown}</div>'


def _form(path: str, method: str, described: Schema) -> str:
    """A form that the script sends; without it there is none to be seen."""
    inputs = "".join(
        f"<label><code>{escape(one['name'])}</code>"
        f'<input name="{escape(one["name"])}" data-in="{one["in"]}" autocomplete="off"{_given(one)}></label>'
        for one in described["parameters"]
    )
    content = _content(described)
    body = ""
    if content:
        example = escape(_pretty(content.get("example", {})))
        body = f'<label><span>Body</span><textarea spellcheck="false">{example}</textarea></label>'
    return (
        '<details class="try" hidden><summary>Try it</summary>'
        f'<form class="try" data-method="{method}" data-path="{escape(path)}">{inputs}{body}'
        '<button>Send</button><div class="answer" aria-live="polite" hidden></div></form></details>'
    )


def _given(parameter: Schema) -> str:
    """A value to begin with: what a first try needs and would not guess."""
    if parameter["name"] == "If-Match":
        return ' value="*"'
    default = parameter["schema"].get("default")
    return "" if default is None else f' placeholder="{escape(str(default))}"'


def _answers(described: Schema, components: Schema) -> str:
    status, success = next(iter(described["responses"].items()))
    rows = "".join(
        _problem(number, resolve_answer(answer, components))
        for number, answer in described["responses"].items()
        if number != status
    )
    return (
        f"<h3>Answer {status}</h3>{_success(success, components['schemas'])}"
        f"<details><summary>Errors</summary><table>{rows}</table></details>"
    )


def _success(answer: Schema, schemas: Schema) -> str:
    content = answer.get("content", {})
    if lines := content.get("application/x-ndjson"):
        return f"<p>One JSON object a line ({kind_of(lines['schema'], schemas)}).</p>"
    if not content:
        return "<p>Without a body.</p>"
    data = content["application/json"]["schema"]["properties"]["data"]
    shown = kind_of({name: value for name, value in data.items() if name != "description"}, schemas)
    model = resolve(data.get("items", data), schemas)
    return f"<p><code>data</code> is {'a ' if 'items' in data else ''}{shown}:</p>{fields(model, schemas)}"


def resolve_answer(answer: Schema, components: Schema) -> Schema:
    return components["responses"][answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer


def _problem(status: str, answer: Schema) -> str:
    return f"<tr><td>{status}</td><td>{inline(answer['description'])}</td></tr>"


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
