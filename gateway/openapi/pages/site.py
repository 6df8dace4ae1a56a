"""Pages of `/docs`, made by templates, and what their search knows. Made from the OpenAPI document. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from html import escape

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from gateway.openapi.pages.fields import Schema, inside, kind_of, resolve
from gateway.openapi.pages.guide import CONVENTIONS, SHOWING
from gateway.openapi.pages.problems import ProblemType
from gateway.openapi.pages.snippets import BASE, snippets
from gateway.openapi.words import said

DEEPEST = 4  # answers are three deep; a schema that held itself would go on for ever


class Site:
    def __init__(self, document: Schema, problems: Mapping[str, ProblemType]) -> None:
        self._document = document
        self._problems = problems
        self.tags = [entry["name"] for entry in document["tags"]]
        components = document["components"]
        self._resolve = partial(resolve, components=components)
        self._templates = Environment(
            loader=PackageLoader("gateway.openapi.pages"), autoescape=True, trim_blocks=True, lstrip_blocks=True
        )
        self._templates.filters |= {
            "body_of": _body_of,
            "inline": inline,
            "inside": partial(inside, components=components),
            "kind_of": lambda schema: Markup(kind_of(schema, components)),  # noqa: S704 it escapes
            "paragraphs": paragraphs,
            "pretty": partial(json.dumps, indent=2, ensure_ascii=False),
            "resolve": self._resolve,
            "said": said,
        }
        self._templates.globals |= {
            "address_of": address_of,
            "base": BASE,
            "deepest": DEEPEST,
            "document": document,
            "operations": self._operations,
            "problems": problems,
            "snippets": snippets,
            "tags": self.tags,
        }

    def home(self) -> str:
        """The root of the gateway: what this is and where to go on."""
        return self._page("home", "Crossfade", at="/")

    def begin(self) -> str:
        """How to begin, what holds everywhere, and every route in a line."""
        return self._page("begin", "Crossfade API", at="/docs", showing=SHOWING, conventions=CONVENTIONS)

    def resource(self, name: str) -> str | None:
        """One resource with all of its routes; None for a name that none has."""
        tag = next((tag for tag in self.tags if slug(tag) == name), None)
        if tag is None:
            return None
        address = address_of(tag)
        parts = [
            {"title": one["summary"], "address": f"{address}#{one['operationId']}", "hint": f"{method} {path}"}
            for path, method, one in self._operations(tag)
        ]
        return self._page("resource", f"{tag}: Crossfade API", at=address, parts=parts, tag=tag)

    def events(self) -> str:
        parts = [{"title": name, "address": f"/docs/events#{name}"} for name in self._document["webhooks"]]
        return self._page("events", "Events and webhooks: Crossfade API", at="/docs/events", parts=parts)

    def schemas(self) -> str:
        return self._page("schemas", "Schemas: Crossfade API", at="/docs/schemas")

    def problems(self) -> str:
        """The table of all problem types."""
        return self._page("problems", "Problems", at="/docs/problems")

    def problem(self, code: str) -> str | None:
        kind = self._problems.get(code)
        if kind is None:
            return None
        example = {"type": f"/docs/problems/{code}", "title": kind.title, "status": kind.status, "code": code}
        example |= {"detail": "…", "requestId": "…"}
        return self._page("problem", code, at="/docs/problems", kind=kind, example=example)

    def search(self) -> str:
        """Everything that can be found, as JSON: a title, where it is, and the words that lead there."""
        return json.dumps(list(self._entries()), ensure_ascii=False)

    def _entries(self) -> Iterator[dict[str, str]]:
        for tag in self.tags:
            for path, method, one in self._operations(tag):
                words = " ".join([tag, one["description"], *self._field_names(one)])
                url = f"{address_of(tag)}#{one['operationId']}"
                yield {"title": one["summary"], "place": f"{method} {path}", "url": url, "words": words}
        for name, methods in self._document["webhooks"].items():
            words = methods["post"]["summary"]
            yield {"title": name, "place": "Event", "url": f"/docs/events#{name}", "words": words}
        for kind in self._problems.values():
            place, url = f"Problem, {kind.status}", f"/docs/problems/{kind.code}"
            yield {"title": kind.code, "place": place, "url": url, "words": f"{kind.title} {kind.advice}"}
        for name, words in CONVENTIONS.items():
            yield {"title": name, "place": "Convention", "url": "/docs#conventions", "words": words}
        for name, schema in self._document["components"]["schemas"].items():
            words = " ".join(schema.get("properties", {}))
            yield {"title": name, "place": "Schema", "url": f"/docs/schemas#{name}", "words": words}

    def _operations(self, tag: str) -> Iterator[tuple[str, str, Schema]]:
        for path, methods in self._document["paths"].items():
            for method, one in methods.items():
                if tag in one["tags"]:
                    yield path, method.upper(), one

    def _field_names(self, operation: Schema) -> Iterator[str]:
        """What a request may say, so that a search for a field finds its routes."""
        yield from (str(one["name"]) for one in operation["parameters"])
        if content := _body_of(operation):
            yield from self._resolve(content["schema"]).get("properties", {})

    def _page(self, template: str, title: str, *, at: str, **words: object) -> str:
        """Return a whole page. `at` is its address, `parts` are the places in it that the menu shows."""
        return self._templates.get_template(f"{template}.html").render(title=title, at=at, **words)


def _body_of(operation: Schema) -> Schema:
    """Return what is said of the JSON that a request holds; nothing for one without a body."""
    found: Schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return found


def paragraphs(words: str) -> Markup:
    return Markup().join(Markup("<p>{}</p>").format(inline(part)) for part in words.strip().split("\n\n") if part)


def inline(words: str) -> Markup:
    """Escape, then the two marks that our own texts use: `code` and [links](path)."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(words))
    linked = re.sub(r"\[([^\]]+)\]\((/[^)]*)\)", r'<a href="\2">\1</a>', marked)
    return Markup(linked)  # noqa: S704 escaped above


def slug(title: str) -> str:
    """Return the name of a page in its address: `api-keys` of "API keys"."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def address_of(tag: str) -> str:
    """Return where a resource's page is."""
    return f"/docs/api/{slug(tag)}"
