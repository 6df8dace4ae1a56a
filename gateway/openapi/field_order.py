"""Fields in the order of the description. Postgres' jsonb sorts names by their length, which no reader expects.

Called by a gate, with answers that are complete. What has no described fields (a message's `metadata`) stays as it is.
"""

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from json.decoder import WHITESPACE as BLANK  # type: ignore[attr-defined]
from json.decoder import JSONDecodeError, JSONDecoder, scanstring  # type: ignore[attr-defined]
from typing import Any

from gateway.openapi import document
from gateway.openapi.catalogue import OPERATIONS

# Numbers that a float, or Python's int, may not give back as they were written; jsonb puts a blank before each.
DELICATE = re.compile(r"(?:: |, |\[)-?\d+[.eE]|\d{17}")
DECODER = JSONDecoder()
SUCCESS = "success"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The fields of an object in their order, each with the shape of what it holds; of a list, that of its items."""

    fields: Mapping[str, "Shape | None"] = field(default_factory=dict)


def ordered(text: str, endpoint: str) -> str:
    """Return an answer of the endpoint with its fields in their order; anything else as it is."""
    shape = shapes().get(endpoint)
    if shape is None:
        return text
    try:
        if DELICATE.search(text):
            return _scan(text, BLANK.match(text, 0).end(), shape)[0]
        return json.dumps(_sort(json.loads(text), shape), ensure_ascii=False)
    except (JSONDecodeError, ValueError, RecursionError):  # not ours to refuse: a number of 5,000 digits, say
        return text


@functools.cache
def shapes() -> Mapping[str, Shape]:
    """Return the shape of each endpoint's answer. Takes some milliseconds, once in a process."""
    components = document.components(OPERATIONS.values())
    page = _shape({"$ref": "#/components/schemas/Pagination"}, components)
    found = {}
    for endpoint, operation in OPERATIONS.items():
        if operation.answer is not None:
            name = operation.answer if isinstance(operation.answer, str) else operation.answer.__name__
            item = _shape({"$ref": f"#/components/schemas/{name}"}, components)
            found[endpoint] = (
                (item or Shape())
                if operation.as_lines
                else Shape(fields={SUCCESS: None, "data": item, "pagination": page})
            )
    return found


def _shape(schema: Mapping[str, Any], components: Mapping[str, Any]) -> Shape | None:
    """Return the shape that a schema describes; of several kinds, one with the fields of all of them."""
    if "$ref" in schema:
        return _shape(components[schema["$ref"].rpartition("/")[2]], components)
    if kinds := schema.get("anyOf") or schema.get("oneOf"):
        return _merged([_shape(kind, components) for kind in kinds])
    if "items" in schema:
        return _shape(schema["items"], components)
    if "properties" not in schema:
        return None
    return Shape(fields={name: _shape(kind, components) for name, kind in schema["properties"].items()})


def _merged(shapes: list[Shape | None]) -> Shape | None:
    fields: dict[str, Shape | None] = {}
    for shape in shapes:
        for name, inner in shape.fields.items() if shape else ():
            fields[name] = _merged([fields.get(name), inner])
    return Shape(fields=fields) if fields else None


def _sort(value: Any, shape: Shape | None) -> Any:
    if shape is None:
        return value
    if isinstance(value, list):
        return [_sort(one, shape) for one in value]
    if not isinstance(value, dict):
        return value
    known = {name: _sort(value[name], inner) for name, inner in shape.fields.items() if name in value}
    return known | value if len(known) < len(value) else known


def _scan(text: str, at: int, shape: Shape | None) -> tuple[str, int]:
    """Return the value that begins at `at`, sorted, with every number as it was written, and where it ends."""
    if shape is None or text[at] not in "{[":
        end = DECODER.raw_decode(text, at)[1]
        return text[at:end], end
    closing, parts, found = ("}" if text[at] == "{" else "]"), [], {}
    at = BLANK.match(text, at + 1).end()
    while text[at] != closing:
        name = ""
        if closing == "}":
            name, at = scanstring(text, at + 1)
            at = BLANK.match(text, text.index(":", at) + 1).end()
        part, at = _scan(text, at, shape.fields.get(name) if closing == "}" else shape)
        found[name] = part
        parts.append(part)
        at = BLANK.match(text, at).end()
        if text[at] == ",":
            at = BLANK.match(text, at + 1).end()
    if closing == "]":
        return f"[{', '.join(parts)}]", at + 1
    names = [*(name for name in shape.fields if name in found), *(name for name in found if name not in shape.fields)]
    return f"{{{', '.join(f'{json.dumps(name, ensure_ascii=False)}: {found[name]}' for name in names)}}}", at + 1
