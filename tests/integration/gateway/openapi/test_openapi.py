"""The description is of this API: every route is in it, with the models that its view reads."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
from flask import Flask

from gateway.http.routes import Deprecation
from gateway.openapi import words
from gateway.openapi.document import build
from gateway.openapi.pages.problems import ADVICE, problem_types
from gateway.openapi.pages.site import Site
from gateway.shapes.catalogue import KINDS
from tests.integration.gateway.conftest import Account
from tests.integration.gateway.openapi.conftest import OURS, described

TESTS = Path(__file__).parents[3]
ROOT = TESTS.parent
KEYWORDS = frozenset(  # of JSON Schema 2020-12 and OpenAPI 3.1
    [
        "$ref",
        "additionalProperties",
        "anyOf",
        "const",
        "default",
        "description",
        "discriminator",
        "enum",
        "examples",
        "format",
        "items",
        "maximum",
        "maxItems",
        "maxLength",
        "maxProperties",
        "minimum",
        "minItems",
        "minLength",
        "minProperties",
        "exclusiveMaximum",
        "oneOf",
        "pattern",
        "properties",
        "required",
        "title",
        "type",
        "uniqueItems",
    ]
)


def test_every_route_is_described(document: dict[str, Any]) -> None:
    """A route that says no summary, or not what it answers, fails here; and each is in the document."""
    assert {operation["operationId"] for _, _, operation in described(document)} == {r.endpoint for r in OURS}
    assert [route.endpoint for route in OURS if not (route.summary and route.tag)] == []
    assert [route.endpoint for route in OURS if (route.answer is None) is not (route.status == 204)] == []


def test_every_example_is_accepted_by_its_model() -> None:
    """Whoever copies an example gets no 422 for its form."""
    for route in OURS:
        if route.body is not None and route.endpoint != "channels.create_channel":  # only where operators allow it
            assert route.example is not None or not route.body.model_json_schema().get("required"), route.endpoint
            route.body.model_validate(dict(route.example or {}))


def test_schemas_speak_json_schema(document: dict[str, Any]) -> None:
    """A bound under a name that no reader knows bounds nothing."""
    shown = [*document["components"]["schemas"].values()]
    shown += [one["schema"] for _, _, operation in described(document) for one in operation["parameters"]]
    assert {word for schema in shown for word in _keywords(schema)} <= KEYWORDS


def _keywords(schema: dict[str, Any]) -> Iterator[str]:
    for word, value in schema.items():
        yield word
        if word == "properties":
            for field in value.values():
                yield from _keywords(field)
        elif word in ("anyOf", "oneOf"):
            for kind in value:
                yield from _keywords(kind)
        elif word == "items":
            yield from _keywords(value)


def test_every_field_says_what_it_is(document: dict[str, Any]) -> None:
    """Of requests, answers, events and parameters, at every depth: no reader has to guess from a name."""
    mute = [place for place, schema in _properties(document, "") if not words.said(schema)]
    mute += [
        f"{path} {one['name']}"
        for path, _, op in described(document)
        for one in op["parameters"]
        if not one.get("description")
    ]
    assert mute == []


def _properties(node: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of every schema, with where it is; what is inside an example is not one."""
    if isinstance(node, list):
        for one in node:
            yield from _properties(one, place)
    elif isinstance(node, dict):
        for name, inner in node.items():
            if name == "properties":
                yield from ((f"{place}.{field}", schema) for field, schema in inner.items())
            if name not in ("example", "examples"):
                yield from _properties(inner, f"{place}/{name}")


def test_no_words_are_left_over(document: dict[str, Any]) -> None:
    """Each model and each field that the words speak of is there."""
    schemas = document["components"]["schemas"]
    assert set(words.MODELS) <= set(schemas)
    fields = {place.rpartition(".")[2] for place, _ in _properties(schemas, "")}
    assert set(words.ANYWHERE) <= fields
    parameters = {one["name"] for _, _, operation in described(document) for one in operation["parameters"]}
    assert set(words.PARAMETERS) <= parameters


def test_what_may_be_left_out_has_no_default(document: dict[str, Any]) -> None:
    """Clients that are made of the document would have to send it; in words it is still said."""
    schemas = document["components"]["schemas"]
    assert [place for place, schema in _properties(schemas, "") if "default" in schema] == []
    assert words.said(schemas["CreateConversation"]["properties"]["channel"]).endswith("Left out: `api`.")
    assert words.said(schemas["PatchConversation"]["properties"]["status"]).count("Left out") == 0


def test_an_empty_header_is_refused_as_the_document_says(document: dict[str, Any], account: Account) -> None:
    """What schema and server say of a webhook's own headers is the same."""
    schema = {"$ref": "#/components/schemas/CreateWebhook", "components": document["components"]}
    for value, taken in (("", False), (" x", False), ("x y", True), ("x" * 1_024, True), ("x" * 1_025, False)):
        body = {"url": "https://example.com/hooks", "headers": {"X-A": value}}
        assert jsonschema_rs.is_valid(schema, body) is taken
        assert account.post("/webhooks", body).status_code == (201 if taken else 422)


def test_links_lead_to_routes(document: dict[str, Any]) -> None:
    """Each link names an operation and all of its path parameters."""
    wanted = {
        operation["operationId"]: {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        for _, _, operation in described(document)
    }
    for _, _, operation in described(document):
        for answer in operation["responses"].values():
            for link in answer.get("links", {}).values():
                assert set(link["parameters"]) == wanted[link["operationId"]]


def test_webhooks_are_the_catalogue(document: dict[str, Any]) -> None:
    """Every kind of request that we send, with its schema and an example that the schema takes."""
    assert set(document["webhooks"]) == {kind.type for kind in KINDS}
    for name, methods in document["webhooks"].items():
        content = methods["post"]["requestBody"]["content"]["application/json"]
        schema = {**content["schema"], "components": document["components"]}
        assert jsonschema_rs.is_valid(schema, content["example"]), name
        assert not jsonschema_rs.is_valid(schema, content["example"] | {"type": "another"}), name


def test_an_event_says_of_a_thing_what_its_own_route_says(document: dict[str, Any]) -> None:
    """Field by field, in the same words: what is sent has what is shown, but for the number of the event."""
    schemas = document["components"]["schemas"]
    told, shown = (_words(schemas[name]) for name in ("MessageEventData", "Message"))
    assert told == shown
    told, shown = (_words(schemas[name]) for name in ("ConversationEventData", "Conversation"))
    assert shown.keys() - {"lastSeq"} == told.keys() - {"seq", "eventId"}
    assert {field for field in shown.keys() & told.keys() if shown[field] != told[field]} == {"participants"}


def _words(schema: dict[str, Any]) -> dict[str, str]:
    return {field: words.said(kind) for field, kind in schema["properties"].items()}


def test_what_will_go_is_marked() -> None:
    """In the document as on the page, by the same record that the headers are made from."""
    going = Deprecation(since=datetime(2027, 1, 1, tzinfo=UTC))
    marked = build([replace(r, deprecated=going) if r.endpoint == "keys.get_key" else r for r in OURS])
    old = {operation["operationId"] for _, _, operation in described(marked) if operation.get("deprecated")}
    assert old == {"keys.get_key"}
    page = Site(marked, problem_types()).resource("api-keys")
    assert page is not None
    assert '<h2 class="old">Get an API key</h2>' in page


def test_every_problem_has_a_page(app: Flask) -> None:
    """And the table of them all; each says what to do."""
    client = app.test_client()
    table = client.get("/docs/problems").text
    assert set(ADVICE) == set(problem_types())
    for code, kind in problem_types().items():
        page = client.get(f"/docs/problems/{code}")
        assert page.status_code == 200
        assert str(kind.status) in page.text
        assert f'href="/docs/problems/{code}"' in table
    assert client.get("/docs/problems/nothing").status_code == 404


def test_every_problem_is_provoked_by_a_test() -> None:
    """A code that no test asks for by name is one that nobody has seen."""
    here = Path(__file__).name
    texts = [file.read_text() for file in TESTS.rglob("test_*.py") if file.name != here]
    unseen = {code for code in problem_types() if not any(f'"{code}"' in text for text in texts)}
    assert unseen == set()


def test_the_document_is_small_enough_to_read(document: dict[str, Any]) -> None:
    """Named schemas are shared, not repeated."""
    assert len(json.dumps(document)) < 350_000
    assert document["openapi"] == "3.1.0"
