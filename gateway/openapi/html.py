"""The description as pages for people. No script, no font, no picture: nothing is fetched from anywhere."""

import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from gateway.openapi.guide import CONVENTIONS, EVENTS, QUICK_START, QUICK_START_WORDS, SHOWING, SHOWING_WORDS
from gateway.openapi.problem_table import ProblemType

STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8882;--key:#0a7}
body{margin:0;font:16px/1.55 system-ui,sans-serif;display:grid;grid-template-columns:16rem minmax(0,52rem);gap:2.5rem}
nav{position:sticky;top:0;height:100vh;overflow:auto;padding:1.5rem 1rem;box-sizing:border-box;
border-right:1px solid var(--line);font-size:.9rem}
nav a{display:block;color:inherit;text-decoration:none;padding:.1rem 0}nav a:hover{text-decoration:underline}
nav h2{font-size:.8rem;text-transform:uppercase;letter-spacing:.05em;margin:1.2rem 0 .3rem;opacity:.7}
main{padding:1.5rem 1rem 6rem;min-width:0}h1{margin-top:0}section{border-top:1px solid var(--line);padding:1rem 0}
code,pre{font:.875em/1.5 ui-monospace,monospace}
pre{background:var(--soft);padding:.8rem;overflow:auto;border-radius:6px}
.method{display:inline-block;min-width:4.2em;color:var(--key);font-weight:700}
table{border-collapse:collapse;width:100%;font-size:.92rem;margin:.5rem 0}
td,th{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line)}
summary{cursor:pointer}.old{text-decoration:line-through}
@media(max-width:60rem){body{display:block}nav{position:static;height:auto;border:0}}
"""
Schema = Mapping[str, Any]


def api_page(document: Schema) -> str:
    """Every route with its parameters, body, answers and a line for curl."""
    operations = list(_operations(document))
    menu = ['<h2>Begin</h2><a href="#start">The first message</a><a href="#conventions">Conventions</a>']
    menu.append('<a href="#showing">Showing what people wrote</a>')
    for tag in (entry["name"] for entry in document["tags"]):
        menu.append(f"<h2>{escape(tag)}</h2>")
        for path, method, operation in operations:
            if tag in operation["tags"]:
                anchor = escape(operation["operationId"])
                menu.append(f'<a href="#{anchor}" title="{method} {escape(path)}">{escape(operation["summary"])}</a>')
    menu.append('<h2>More</h2><a href="#webhooks">Events and webhooks</a><a href="#schemas">Schemas</a>')
    menu.append('<a href="/docs/problems">Problems</a><a href="/api/v1/openapi.json">openapi.json</a>')
    body = [f"<h1>{escape(document['info']['title'])}</h1>{_text(document['info']['description'])}", *_guide()]
    body += [_operation(path, method, operation, document["components"]) for path, method, operation in operations]
    body.append(f'<section id="webhooks"><h2>Events and webhooks</h2>{_text(EVENTS)}')
    body += [_event(name, methods["post"]) for name, methods in document["webhooks"].items()]
    body.append("</section>")
    body.append('<section id="schemas"><h2>Schemas</h2>')
    body += [_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items())]
    return _page("Crossfade API", "".join(menu), "".join(body) + "</section>")


def _guide() -> Iterator[str]:
    yield f'<section id="start"><h2>The first message</h2>{_text(QUICK_START_WORDS)}'
    yield f"<pre>{escape(QUICK_START, quote=False)}</pre></section>"
    yield f'<section id="showing"><h2>Showing what people wrote</h2>{_text(SHOWING_WORDS)}'
    yield f"<pre>{escape(SHOWING, quote=False)}</pre></section>"
    rows = "".join(f"<tr><th>{name}</th><td>{_inline(words)}</td></tr>" for name, words in CONVENTIONS.items())
    yield f'<section id="conventions"><h2>Conventions</h2><table>{rows}</table></section>'


def problems_page(types: Mapping[str, ProblemType]) -> str:
    """The table of all problem types."""
    rows = "".join(
        f'<tr><td>{kind.status}</td><td><a href="/docs/problems/{kind.code}"><code>{kind.code}</code></a></td>'
        f"<td>{escape(kind.title)}</td><td>{_inline(kind.advice)}</td></tr>"
        for kind in types.values()
    )
    head = "<tr><th>status</th><th>code</th><th>title</th><th>what to do</th></tr>"
    intro = (
        "<p>Every error is <code>application/problem+json</code> (RFC 9457). <code>code</code> never changes;"
        " <code>type</code> leads here; <code>requestId</code> names the request in our log.</p>"
    )
    return _page("Problems", _back(), f"<h1>Problems</h1>{intro}<table>{head}{rows}</table>")


def problem_page(kind: ProblemType) -> str:
    example = {"type": f"/docs/problems/{kind.code}", "title": kind.title, "status": kind.status, "code": kind.code}
    shown = escape(json.dumps(example | {"detail": "…", "requestId": "…"}, indent=2, ensure_ascii=False))
    body = f"<h1>{kind.status} <code>{kind.code}</code></h1><p>{escape(kind.title)}.</p><p>{_inline(kind.advice)}</p>"
    return _page(kind.code, _back(), f"{body}<pre>{shown}</pre>")


def _operations(document: Schema) -> Iterator[tuple[str, str, Schema]]:
    order = [entry["name"] for entry in document["tags"]]
    found = [
        (path, method.upper(), operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    yield from sorted(found, key=lambda item: order.index(item[2]["tags"][0]))


def _operation(path: str, method: str, operation: Schema, components: Schema) -> str:
    old = ' class="old"' if operation.get("deprecated") else ""
    parts = [
        f'<section id="{escape(operation["operationId"])}"><h3{old}>{escape(operation["summary"])}</h3>',
        f'<p><code><span class="method">{method}</span> {escape(path)}</code></p>{_text(operation["description"])}',
        _parameters(operation["parameters"]),
    ]
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    if content:
        model = components["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
        parts.append(f"<p>Body: {_kind(content['schema'])}</p>{_fields(model)}")
    parts.append(f"<pre>{escape(_curl(path, method, operation, content.get('example')))}</pre>")
    rows = "".join(
        _answer(status, answer, components["responses"]) for status, answer in operation["responses"].items()
    )
    status, success = next(iter(operation["responses"].items()))
    shown = " ".join(_kind(one["schema"]) for one in success.get("content", {}).values())
    parts.append(f"<details><summary>Answers {status} {shown}</summary><table>{rows}</table></details></section>")
    return "".join(parts)


def _curl(path: str, method: str, operation: Schema, example: object) -> str:
    verb = "" if method == ("GET" if example is None else "POST") else f" -X {method}"
    headers = "-H 'X-API-Key: …'"
    if any(one["name"] == "If-Match" for one in operation["parameters"]):
        headers += " -H 'If-Match: *'"
    line = f"curl{verb} http://127.0.0.1:8000{path} {headers}"
    if example is None:
        return line
    body = json.dumps(example, ensure_ascii=False)
    return f"{line} \\\n  -H 'Content-Type: application/json' -d '{body}'"


def _event(name: str, sent: Schema) -> str:
    content = sent["requestBody"]["content"]["application/json"]
    shown = escape(json.dumps(content["example"], indent=2, ensure_ascii=False))
    return (
        f'<h3 id="event-{escape(name)}"><code>{escape(name)}</code></h3><p>{escape(sent["summary"])}'
        f" {_kind(content['schema'])}</p><details><summary>Example</summary><pre>{shown}</pre></details>"
    )


def _parameters(parameters: list[Schema]) -> str:
    if not parameters:
        return ""
    rows = "".join(
        f"<tr><td><code>{escape(one['name'])}</code></td>"
        f"<td>{one['in']}{', required' if one.get('required') else ''}</td>"
        f"<td>{_kind(one['schema'])}</td><td>{_inline(one.get('description', ''))}</td></tr>"
        for one in parameters
    )
    return f"<table>{rows}</table>"


def _answer(status: str, answer: Schema, shared: Schema) -> str:
    if "$ref" in answer:
        answer = shared[answer["$ref"].rpartition("/")[2]]
    schemas = [_kind(content["schema"]) for content in answer.get("content", {}).values()]
    return f"<tr><td>{status}</td><td>{_inline(answer['description'])}</td><td>{' '.join(schemas)}</td></tr>"


def _schema(name: str, schema: Schema) -> str:
    words = _fields(schema) or f"<p>{_kind(schema)}</p>"
    return f'<h3 id="schema-{escape(name)}">{escape(name)}</h3>{_text(schema.get("description", ""))}{words}'


def _fields(schema: Schema) -> str:
    required = schema.get("required", [])
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code>{'' if field in required else ' <small>optional</small>'}</td>"
        f"<td>{_kind(kind)}</td><td>{_inline(_description(kind))}</td></tr>"
        for field, kind in schema.get("properties", {}).items()
    )
    return f"<table>{rows}</table>" if rows else ""


def _description(schema: Schema) -> str:
    kinds = schema.get("anyOf", [])
    return str(schema.get("description") or next((kind["description"] for kind in kinds if "description" in kind), ""))


def _kind(schema: Schema) -> str:  # noqa: PLR0911 one for each way to write a schema
    """One schema in a few words, with links to named ones."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#schema-{name}">{name}</a>'
    if kinds := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(_kind(kind) for kind in kinds)
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(word))}</code>" for word in schema["enum"])
    if "const" in schema:
        return f"<code>{escape(json.dumps(schema['const']))}</code>"
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if "properties" in schema and "data" in schema["properties"]:
        return _kind(schema["properties"]["data"])
    limits = [f"{word} {_value(schema[name])}" for name, word in LIMITS.items() if name in schema]
    types = schema.get("type", "anything")
    kind = " or ".join(types) if isinstance(types, list) else str(types)
    return escape(", ".join([str(schema.get("format") or kind), *limits]))


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


LIMITS = {
    "minimum": "from",
    "maximum": "to",
    "minLength": "at least",
    "maxLength": "at most",
    "default": "default",
}


def _text(words: str) -> str:
    return "".join(f"<p>{_inline(part)}</p>" for part in words.strip().split("\n\n") if part)


def _inline(words: str) -> str:
    """Escape, then the two marks that our own texts use: `code` and [links](path)."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(words))
    return re.sub(r"\[([^\]]+)\]\((/[^)]*)\)", r'<a href="\2">\1</a>', marked)


def _back() -> str:
    return '<a href="/docs">The API</a><a href="/docs/problems">All problems</a>'


def _page(title: str, menu: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><nav>{menu}</nav><main>{body}</main></body></html>"
    )
