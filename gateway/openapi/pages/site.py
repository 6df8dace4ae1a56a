"""The pages of `/docs`, made from the OpenAPI document, and what its search knows. Pure."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from gateway.openapi.guide import CONVENTIONS, EVENTS, QUICK_START, QUICK_START_WORDS, SHOWING, SHOWING_WORDS
from gateway.openapi.pages import shell
from gateway.openapi.pages.fields import Schema, fields, kind_of, resolve
from gateway.openapi.pages.operations import operation
from gateway.openapi.pages.shell import Place
from gateway.openapi.pages.text import block, inline, paragraphs, slug
from gateway.openapi.problem_table import ProblemType


class Site:
    def __init__(self, document: Schema, problems: Mapping[str, ProblemType]) -> None:
        self._document = document
        self._problems = problems
        self.tags = [entry["name"] for entry in document["tags"]]
        self._schemas: Schema = document["components"]["schemas"]

    def begin(self) -> str:
        """How to begin, what holds everywhere, and every route in a line."""
        rows = "".join(f"<tr><th>{name}</th><td>{inline(words)}</td></tr>" for name, words in CONVENTIONS.items())
        body = (
            f"<h1>{escape(self._document['info']['title'])}</h1>{paragraphs(self._document['info']['description'])}"
            f'<section id="start"><h2>The first message</h2>{paragraphs(QUICK_START_WORDS)}'
            f"{block(QUICK_START)}</section>"
            f'<section id="showing"><h2>Showing what people wrote</h2>{paragraphs(SHOWING_WORDS)}'
            f"{block(SHOWING)}</section>"
            f'<section id="routes"><h2>Routes</h2>{"".join(self._listed(tag) for tag in self.tags)}</section>'
            f'<section id="conventions"><h2>Conventions</h2><table>{rows}</table></section>'
        )
        return self._page("Crossfade API", body, shell.HOME)

    def resource(self, name: str) -> str | None:
        """One resource with all of its routes; None for a name that none has."""
        tag = next((tag for tag in self.tags if slug(tag) == name), None)
        if tag is None:
            return None
        found = list(self._operations(tag))
        body = "".join(operation(path, method, one, self._document["components"]) for path, method, one in found)
        address = shell.address_of(tag)
        parts = [
            Place(title=one["summary"], address=f"{address}#{one['operationId']}", hint=f"{method} {path}")
            for path, method, one in found
        ]
        return self._page(f"{tag}: Crossfade API", f"<h1>{escape(tag)}</h1>{body}", address, parts)

    def events(self) -> str:
        body = f"<h1>Events and webhooks</h1>{paragraphs(EVENTS)}"
        sent = {name: methods["post"] for name, methods in self._document["webhooks"].items()}
        body += "".join(self._event(name, one) for name, one in sent.items())
        parts = [Place(title=name, address=f"{shell.EVENTS}#{name}") for name in sent]
        return self._page("Events and webhooks: Crossfade API", body, shell.EVENTS, parts)

    def schemas(self) -> str:
        body = "".join(self._schema(name, schema) for name, schema in sorted(self._schemas.items()))
        return self._page("Schemas: Crossfade API", f"<h1>Schemas</h1>{body}", shell.SCHEMAS)

    def problems(self) -> str:
        """The table of all problem types."""
        rows = "".join(
            f'<tr><td>{kind.status}</td><td><a href="{shell.PROBLEMS}/{kind.code}"><code>{kind.code}</code></a></td>'
            f"<td>{escape(kind.title)}</td><td>{inline(kind.advice)}</td></tr>"
            for kind in self._problems.values()
        )
        head = "<tr><th>status</th><th>code</th><th>title</th><th>what to do</th></tr>"
        intro = (
            "<p>Every error is <code>application/problem+json</code> (RFC 9457). <code>code</code> never changes;"
            " <code>type</code> leads here; <code>requestId</code> names the request in our log.</p>"
        )
        return self._page("Problems", f"<h1>Problems</h1>{intro}<table>{head}{rows}</table>", shell.PROBLEMS)

    def problem(self, code: str) -> str | None:
        kind = self._problems.get(code)
        if kind is None:
            return None
        address = f"{shell.PROBLEMS}/{kind.code}"
        example = {"type": address, "title": kind.title, "status": kind.status, "code": kind.code}
        shown = json.dumps(example | {"detail": "…", "requestId": "…"}, indent=2, ensure_ascii=False)
        body = (
            f"<h1>{kind.status} <code>{kind.code}</code></h1><p>{escape(kind.title)}.</p><p>{inline(kind.advice)}</p>"
        )
        return self._page(kind.code, f"{body}{block(shown)}", shell.PROBLEMS)

    def search(self) -> str:
        """Everything that can be found, as JSON: a title, where it is, and the words that lead there."""
        return json.dumps(list(self._entries()), ensure_ascii=False)

    def _entries(self) -> Iterator[dict[str, str]]:
        for tag in self.tags:
            for path, method, one in self._operations(tag):
                words = " ".join([tag, one["description"], *_field_names(one, self._schemas)])
                url = f"{shell.address_of(tag)}#{one['operationId']}"
                yield {"title": one["summary"], "place": f"{method} {path}", "url": url, "words": words}
        for name, methods in self._document["webhooks"].items():
            yield {
                "title": name,
                "place": "Event",
                "url": f"{shell.EVENTS}#{name}",
                "words": methods["post"]["summary"],
            }
        for kind in self._problems.values():
            place, url = f"Problem, {kind.status}", f"{shell.PROBLEMS}/{kind.code}"
            yield {"title": kind.code, "place": place, "url": url, "words": f"{kind.title} {kind.advice}"}
        for name, words in CONVENTIONS.items():
            yield {"title": name, "place": "Convention", "url": f"{shell.HOME}#conventions", "words": words}
        for name, schema in self._schemas.items():
            words = " ".join(schema.get("properties", {}))
            yield {"title": name, "place": "Schema", "url": f"{shell.SCHEMAS}#{name}", "words": words}

    def _operations(self, tag: str) -> Iterator[tuple[str, str, Schema]]:
        for path, methods in self._document["paths"].items():
            for method, one in methods.items():
                if tag in one["tags"]:
                    yield path, method.upper(), one

    def _listed(self, tag: str) -> str:
        address = shell.address_of(tag)
        lines = "".join(
            f'<li><a href="{address}#{escape(one["operationId"])}">{escape(one["summary"])}</a>'
            f'<small><span class="method">{method}</span> {escape(path)}</small></li>'
            for path, method, one in self._operations(tag)
        )
        return f'<h3><a href="{address}">{escape(tag)}</a></h3><ul class="routes">{lines}</ul>'

    def _event(self, name: str, sent: Schema) -> str:
        content = sent["requestBody"]["content"]["application/json"]
        model = resolve(content["schema"], self._schemas)
        shown = json.dumps(content["example"], indent=2, ensure_ascii=False)
        return (
            f'<section id="{escape(name)}"><h2><code>{escape(name)}</code></h2><p>{escape(sent["summary"])}</p>'
            f"{fields(model, self._schemas)}<details><summary>Example</summary>{block(shown)}</details></section>"
        )

    def _schema(self, name: str, schema: Schema) -> str:
        words = fields(schema, self._schemas) or f"<p>{kind_of(schema, self._schemas)}</p>"
        described = paragraphs(schema.get("description", ""))
        return (
            f'<section id="{escape(name)}"><h2>{escape(name)}</h2>{described}'
            f"<details><summary>Fields</summary>{words}</details></section>"
        )

    def _page(self, title: str, body: str, at: str, parts: list[Place] | None = None) -> str:
        return shell.page(title, body, tags=self.tags, at=at, parts=parts or [])


def _field_names(described: Schema, schemas: Schema) -> Iterator[str]:
    """What a request may say, so that a search for a field finds its routes."""
    yield from (str(one["name"]) for one in described["parameters"])
    content: Mapping[str, Any] = described.get("requestBody", {}).get("content", {}).get("application/json", {})
    if content:
        yield from resolve(content["schema"], schemas).get("properties", {})
