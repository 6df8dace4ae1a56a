"""OpenAPI 3.1 document, made from routes, events and models that validate. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway import errors
from gateway.domain.keys import Scope
from gateway.errors import ProblemError
from gateway.http.routes import ARGUMENT, Proof, Route
from gateway.openapi import words
from gateway.openapi.events import REF, component_of, event_components
from gateway.openapi.headers import HEADERS, IDEMPOTENCY_KEY, IF_MATCH, LOCATION, SENT_HEADERS
from gateway.shapes.catalogue import KINDS, Kind
from gateway.v1.schemas import answers

VERSION = "1.0.0"
INTRODUCTION = """Conversations and messages for your own software.

Send your key in `X-API-Key`, or as `Authorization: Bearer`. Answers are `{"success": true, "data": …}`; lists add
`pagination`, and a page ends after a megabyte, too: go by `hasMore`. Every error is `application/problem+json`
(RFC 9457) with a `code`; /docs/problems explains each. What belongs to another account does not exist: 404."""
ANYWHERE = {"405": "method_not_allowed", "414": "uri_too_long", "431": "header_fields_too_large"}  # the server's own
ALWAYS = (  # what any route may refuse
    errors.ApiKeyConflict,
    errors.ApiKeyMissing,
    errors.ApiKeyInvalid,
    errors.ApiKeyExpired,
    errors.ApiKeyRevoked,
    errors.ScopeMissing,
    errors.ValidationFailed,
    errors.RateLimited,
    errors.ServiceUnavailable,
)
WITH_BODY = (errors.MalformedJson, errors.PayloadTooLarge, errors.UnsupportedMediaType)
PATHS = {
    "row_id": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1},
    "key_id": {"type": "string", "pattern": "^[0-9A-Za-z]{1,32}$"},
    "uuid": {"type": "string", "format": "uuid"},
}
_RECEIPT = {Scope.WRITE: " Without `chat:read` the answer holds only ids, numbers, states and times."}

Schema = dict[str, Any]


def build(routes: Iterable[Route]) -> Schema:
    """Return the document of the routes for consumers, which are those that take a key."""
    ours = [route for route in routes if route.proof is Proof.KEY]
    schemas, definitions = _schemas(ours)
    paths: dict[str, Schema] = {}
    for route in sorted(ours, key=lambda route: route.path):
        path = paths.setdefault(ARGUMENT.sub(r"{\2}", route.path), {})
        path[route.method.lower()] = _operation(route, ours, schemas)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Crossfade",
            "version": VERSION,
            "summary": "Live chat over REST",
            "description": INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"apiKey": []}, {"bearer": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in ours)],
        "paths": paths,
        "webhooks": {kind.type: _sent(kind) for kind in KINDS},
        "components": {
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
            "headers": HEADERS | {"Location": LOCATION},
            "responses": {code: _problem_answer([code], schemas) for code in ANYWHERE.values()},
            "schemas": words.described(definitions | event_components()),
        },
    }


def _schemas(routes: Iterable[Route]) -> tuple[dict[type[BaseModel], Schema], Schema]:
    queries = {route.query for route in routes if route.query is not None}
    requests = queries | {route.body for route in routes if route.body is not None}
    shown: set[type[BaseModel]] = {answers.Pagination, answers.Problem}
    shown |= {model for route in routes if isinstance(model := route.answer, type)}
    requests |= {model for route in routes for model in route.mentions}
    # What is sent may leave out what has a default; what is answered is always there.
    inputs = [(model, "validation") for model in sorted(requests, key=lambda model: model.__name__)]
    outputs = [(model, "serialization") for model in sorted(shown, key=lambda model: model.__name__)]
    found, definitions = models_json_schema([*inputs, *outputs], ref_template=REF)  # type: ignore[list-item]
    schemas = {model: schema for (model, _), schema in found.items() if issubclass(model, BaseModel)}
    names = {schemas[query]["$ref"].rpartition("/")[2] for query in queries}  # what they hold is in `parameters`
    return schemas, {name: _untitled(schema) for name, schema in definitions["$defs"].items() if name not in names}


def _untitled(schema: Schema) -> Schema:
    """Without the titles that pydantic makes of the fields' names."""
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
    return schema


def _operation(route: Route, others: Iterable[Route], schemas: Mapping[type[BaseModel], Schema]) -> Schema:
    described: Schema = {
        "operationId": route.endpoint,
        "tags": [route.tag],
        "summary": route.summary,
        "description": (
            f"{route.description}\n\nNeeds the scope `{route.scope}`.{_RECEIPT.get(route.scope, '')}".strip()
        ),
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_headers(route)],
        "responses": _responses(route, others, schemas),
    }
    if route.body is not None:
        content: Schema = {"schema": schemas[route.body]}
        if route.example is not None:
            content["example"] = dict(route.example)
        described["requestBody"] = {"required": True, "content": {"application/json": content}}
    if route.deprecated is not None:
        described["deprecated"] = True
    return described


def _path_parameters(route: Route) -> Iterator[Schema]:
    for converter, name in ARGUMENT.findall(route.path):
        described = words.PARAMETERS[name]
        yield {"name": name, "in": "path", "required": True, "description": described, "schema": PATHS[converter]}


def _query_parameters(route: Route) -> Iterator[Schema]:
    """From the model's own schema; a parameter that is not sent is none, so null is not one of its values."""
    schema = route.query.model_json_schema(ref_template=REF) if route.query else {}
    for name, field in schema.get("properties", {}).items():
        kinds = [kind for kind in field.get("anyOf", []) if kind != {"type": "null"}]
        shown = {key: value for key, value in field.items() if value is not None} | (kinds[0] if kinds else {})
        for key in ("anyOf", "title", "description"):
            shown.pop(key, None)
        is_required, described = name in schema.get("required", []), words.said(field)
        yield {"name": name, "in": "query", "required": is_required, "schema": shown, "description": described}


def _headers(route: Route) -> Iterator[Schema]:
    if route.method == "POST":
        yield IDEMPOTENCY_KEY
    if route.if_match:
        yield IF_MATCH | {"required": route.must_match}


def _responses(route: Route, others: Iterable[Route], schemas: Mapping[type[BaseModel], Schema]) -> Schema:
    success: Schema = {
        "description": HTTPStatus(route.status).phrase,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in _told(route, others)},
    }
    if route.as_lines:
        success["content"] = {"application/x-ndjson": {"schema": {"type": "string"}}}
    elif route.answer is not None:
        success["content"] = {"application/json": {"schema": _envelope(route, schemas)}}
    if route.follows:
        success["links"] = _links(route, others)
    responses = {str(route.status): success}
    by_status: dict[int, list[type[ProblemError]]] = {}
    for problem in _problems(route):
        by_status.setdefault(problem.status, []).append(problem)
    for status, problems in sorted(by_status.items()):
        responses[str(status)] = _problem_answer([problem.code for problem in problems], schemas)
    responses |= {number: {"$ref": f"#/components/responses/{code}"} for number, code in ANYWHERE.items()}
    return dict(sorted(responses.items()))


def _problems(route: Route) -> Iterable[type[ProblemError]]:
    found: list[type[ProblemError]] = [*ALWAYS]
    if route.body is not None:
        found += WITH_BODY
    if route.arguments:
        found.append(errors.NotFound)
    if route.method == "POST":
        found += [errors.IdempotencyKeyInvalid, errors.IdempotencyInFlight, errors.IdempotencyKeyReused]
    if route.if_match:
        found.append(errors.PreconditionFailed)
    if route.must_match:
        found.append(errors.PreconditionRequired)
    return dict.fromkeys([*found, *route.problems])


def _told(route: Route, others: Iterable[Route]) -> list[str]:
    """Return the headers of a success: what was made has an address, if it can be asked for by itself."""
    has_address = any(other.method == "GET" for other in _following(route, others))
    return [*HEADERS, *(["Location"] if route.status == HTTPStatus.CREATED and has_address else [])]


def _following(route: Route, others: Iterable[Route]) -> list[Route]:
    """Return every route of the thing that is answered: those with these path parameters and no others."""
    return [other for other in others if route.follows and set(other.arguments) == route.follows.keys()]


def _links(route: Route, others: Iterable[Route]) -> Schema:
    found = {
        name: place if place.startswith("$") else f"$response.body#/data/{place}"
        for name, place in route.follows.items()
    }
    return {
        other.endpoint.partition(".")[2]: {"operationId": other.endpoint, "parameters": found}
        for other in _following(route, others)
    }


def _problem_answer(codes: Iterable[str], schemas: Mapping[type[BaseModel], Schema]) -> Schema:
    described = ", ".join(f"[`{code}`](/docs/problems/{code})" for code in codes)
    return {"description": described, "content": {"application/problem+json": {"schema": schemas[answers.Problem]}}}


def _envelope(route: Route, schemas: Mapping[type[BaseModel], Schema]) -> Schema:
    assert route.answer is not None  # noqa: S101 asked by the caller
    answer = route.answer
    item = {"$ref": REF.format(model=answer)} if isinstance(answer, str) else schemas[answer]
    data = {"type": "array", "items": item} if route.is_list else item
    properties: Schema = {
        "success": {"const": True, "description": "Always true here: errors have another form."},
        "data": data | {"description": "What was asked for." if route.is_list else "What it is about, as it is now."},
    }
    if route.is_list:
        properties["pagination"] = schemas[answers.Pagination] | {"description": "Where the list goes on."}
    return {"type": "object", "required": list(properties), "properties": properties, "additionalProperties": False}


def _sent(kind: Kind) -> Schema:
    """One kind of request that we send."""
    content = {"schema": {"$ref": REF.format(model=component_of(kind))}, "example": kind.request}
    return {
        "post": {
            "operationId": f"webhook.{kind.type}",
            "summary": kind.description,
            "parameters": SENT_HEADERS,
            "requestBody": {"required": True, "content": {"application/json": content}},
            "responses": {
                "2XX": {"description": "Taken. Answer within 15 seconds, then do the work."},
                "410": {"description": "Disables the webhook; nothing more is sent."},
                "429": {"description": "Tried again, no sooner than `Retry-After` says; so is 502, 503 and 504."},
                "default": {"description": "Tried again, nine times within three days. Redirects are not followed."},
            },
        }
    }
