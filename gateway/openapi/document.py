"""The OpenAPI 3.1 document, made from the routes, the catalogue and the models that validate. Pure."""

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Rule

from gateway import errors
from gateway.domain.keys import Scope
from gateway.errors import ProblemError
from gateway.gates.api_key import needs_key
from gateway.gates.deprecation import Deprecation
from gateway.http.scopes import scope_of
from gateway.openapi.operations import answers, words
from gateway.openapi.operations.catalogue import component_of, event_components
from gateway.openapi.operations.headers import ANSWER_HEADERS, HEADERS, REQUEST_HEADERS, SENT_HEADERS
from gateway.openapi.operations.operation import REF, Operation
from realtime_bridge.webhooks.contract.catalogue import KINDS, Kind

VERSION = "1.0.0"
INTRODUCTION = """Conversations and messages for your own software.

Send your key in `X-API-Key`, or as `Authorization: Bearer`. Answers are `{"success": true, "data": …}`; lists add
`pagination`, and a page ends after a megabyte, too: go by `hasMore`. Every error is `application/problem+json`
(RFC 9457) with a `code`; /docs/problems explains each. What belongs to another account does not exist: 404."""
ANY = (
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
ANYWHERE = {"405": "method_not_allowed", "414": "uri_too_long", "431": "header_fields_too_large"}  # the server's own
WITH_BODY = (errors.MalformedJson, errors.PayloadTooLarge, errors.UnsupportedMediaType)
PATHS = {
    "row_id": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1},
    "key_id": {"type": "string", "pattern": "^[0-9A-Za-z]{1,32}$"},
    "uuid": {"type": "string", "format": "uuid"},
}
_RECEIPT = {Scope.WRITE: " Without `chat:read` the answer holds only ids, numbers, states and times."}
_ARGUMENT = re.compile(r"<(\w+):(\w+)>")

Schema = dict[str, Any]


def build(
    app: Flask, operations: Mapping[str, Operation], deprecated: Mapping[str, Deprecation] | None = None
) -> Schema:
    """Return the document. Raises KeyError for a route that nobody has described."""
    schemas, definitions = _schemas(operations.values())
    paths: dict[str, Schema] = {}
    for rule, method in routes(app):
        operation = operations[rule.endpoint]
        path = paths.setdefault(_ARGUMENT.sub(r"{\2}", rule.rule), {})
        path[method.lower()] = _operation(rule, method, operation, schemas) | (
            {"deprecated": True} if rule.endpoint in (deprecated or {}) else {}
        )
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
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations.values())],
        "paths": paths,
        "webhooks": {kind.type: _sent(kind) for kind in KINDS},
        "components": {
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
            "headers": HEADERS,
            "responses": {code: _problem_answer([code], schemas) for code in ANYWHERE.values()},
            "schemas": _described(definitions | event_components()),
        },
    }


def components(operations: Iterable[Operation]) -> Schema:
    """Return the named schemas of everything that is sent and answered."""
    return _described(_schemas(operations)[1] | event_components())


def routes(app: Flask) -> Iterator[tuple[Rule, str]]:
    """Every route for consumers, which is every one that takes a key, once for each method."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda found: found.rule):
        if needs_key(rule.rule, rule.endpoint):
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield rule, method


def _schemas(operations: Iterable[Operation]) -> tuple[dict[type[BaseModel], Schema], Schema]:
    queries = {operation.query for operation in operations}
    requests = queries | {operation.body for operation in operations if operation.body is not None}
    shown: set[type[BaseModel]] = {answers.Pagination, answers.Problem}
    shown |= {model for operation in operations if isinstance(model := operation.answer, type)}
    requests |= {model for operation in operations for model in operation.mentions}
    # What is sent may leave out what has a default; what is answered is always there.
    inputs = [(model, "validation") for model in sorted(requests, key=lambda model: model.__name__)]
    outputs = [(model, "serialization") for model in sorted(shown, key=lambda model: model.__name__)]
    found, definitions = models_json_schema([*inputs, *outputs], ref_template=REF)  # type: ignore[list-item]
    schemas = {model: schema for (model, _), schema in found.items() if issubclass(model, BaseModel)}
    names = {schemas[query]["$ref"].rpartition("/")[2] for query in queries}  # what they hold is in `parameters`
    return schemas, {name: _untitled(schema) for name, schema in definitions["$defs"].items() if name not in names}


def _described(components: Schema) -> Schema:
    """A copy in which every property says what it is; the originals belong to others."""
    components = copy.deepcopy(components)
    for name, schema in components.items():
        words.describe(name, schema)
    return components


def _untitled(schema: Schema) -> Schema:
    """Without the titles that pydantic makes of the fields' names."""
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
    return schema


def _operation(rule: Rule, method: str, operation: Operation, schemas: Mapping[type[BaseModel], Schema]) -> Schema:
    scope = scope_of(rule.endpoint.partition(".")[0], method)
    described: Schema = {
        "operationId": rule.endpoint,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": f"{operation.description}\n\nNeeds the scope `{scope}`.{_RECEIPT.get(scope, '')}".strip(),
        "parameters": [*_path_parameters(rule), *_query_parameters(operation.query), *_headers(method, operation)],
        "responses": _responses(rule, method, operation, schemas),
    }
    if operation.body is not None:
        content: Schema = {"schema": schemas[operation.body]}
        if operation.example is not None:
            content["example"] = dict(operation.example)
        described["requestBody"] = {"required": True, "content": {"application/json": content}}
    return described


def _path_parameters(rule: Rule) -> Iterator[Schema]:
    for converter, name in _ARGUMENT.findall(rule.rule):
        described = words.PARAMETERS.get(name, "")
        yield {"name": name, "in": "path", "required": True, "description": described, "schema": PATHS[converter]}


def _query_parameters(model: type[BaseModel]) -> Iterator[Schema]:
    """From the model's own schema; a parameter that is not sent is none, so null is not one of its values."""
    schema = model.model_json_schema(ref_template=REF)
    for name, field in schema.get("properties", {}).items():
        kinds = [kind for kind in field.get("anyOf", []) if kind != {"type": "null"}]
        shown = {key: value for key, value in field.items() if key not in ("anyOf", "title", "description", "default")}
        shown |= kinds[0] if kinds else {}
        if field.get("default") is not None:
            shown["default"] = field["default"]
        described = words.said(field) or words.PARAMETERS.get(name, "")
        shown.pop("description", None)
        parameter = {"name": name, "in": "query", "required": name in schema.get("required", []), "schema": shown}
        yield parameter | ({"description": described} if described else {})


def _headers(method: str, operation: Operation) -> Iterator[Schema]:
    if method == "POST":
        yield REQUEST_HEADERS["Idempotency-Key"]
    if operation.if_match:
        yield REQUEST_HEADERS["If-Match"] | {"required": operation.if_match == "required"}


def _responses(rule: Rule, method: str, operation: Operation, schemas: Mapping[type[BaseModel], Schema]) -> Schema:
    success: Schema = {
        "description": HTTPStatus(operation.status).phrase,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in ANSWER_HEADERS},
    }
    if operation.as_lines:
        success["content"] = {"application/x-ndjson": {"schema": {"type": "string"}}}
    elif operation.answer is not None:
        success["content"] = {"application/json": {"schema": _envelope(operation, schemas)}}
    if operation.follows:
        success["links"] = {
            name.partition(".")[2]: {"operationId": name, "parameters": dict(parameters)}
            for name, parameters in operation.follows.items()
        }
    responses = {str(operation.status): success}
    by_status: dict[int, list[type[ProblemError]]] = {}
    for problem in _problems(rule, method, operation):
        by_status.setdefault(problem.status, []).append(problem)
    for status, problems in sorted(by_status.items()):
        responses[str(status)] = _problem_answer([problem.code for problem in problems], schemas)
    responses |= {number: {"$ref": f"#/components/responses/{code}"} for number, code in ANYWHERE.items()}
    return dict(sorted(responses.items()))


def _problem_answer(codes: Iterable[str], schemas: Mapping[type[BaseModel], Schema]) -> Schema:
    described = ", ".join(f"[`{code}`](/docs/problems/{code})" for code in codes)
    return {"description": described, "content": {"application/problem+json": {"schema": schemas[answers.Problem]}}}


def _problems(rule: Rule, method: str, operation: Operation) -> Iterable[type[ProblemError]]:
    found: list[type[ProblemError]] = [*ANY]
    if operation.body is not None:
        found += WITH_BODY
    if rule.arguments:
        found.append(errors.NotFound)
    if method == "POST":
        found += [errors.IdempotencyKeyInvalid, errors.IdempotencyInFlight, errors.IdempotencyKeyReused]
    if operation.if_match:
        found.append(errors.PreconditionFailed)
    if operation.if_match == "required":
        found.append(errors.PreconditionRequired)
    return dict.fromkeys([*found, *operation.problems])


def _envelope(operation: Operation, schemas: Mapping[type[BaseModel], Schema]) -> Schema:
    assert operation.answer is not None  # noqa: S101 asked by the caller
    answer = operation.answer
    item = {"$ref": REF.format(model=answer)} if isinstance(answer, str) else schemas[answer]
    data = {"type": "array", "items": item} if operation.is_list else item
    properties: Schema = {
        "success": {"const": True, "description": "Always true here: errors have another form."},
        "data": data
        | {"description": "What was asked for." if operation.is_list else "What it is about, as it is now."},
    }
    if operation.is_list:
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
