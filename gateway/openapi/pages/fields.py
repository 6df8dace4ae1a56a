"""Schemas in words: what a field may be, and the fields of an object, with those of the objects inside. Pure."""

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from gateway.openapi.pages.text import inline
from gateway.openapi.words import said

Schema = Mapping[str, Any]
LIMITS = {
    "minimum": "from",
    "maximum": "to",
    "minLength": "at least",
    "maxLength": "at most",
    "maxItems": "at most",
    "default": "default",
}
LONGEST = 2**53  # beyond it JSON numbers are a matter of luck, and nobody counts
DEEPEST = 4  # answers are three deep; a schema that held itself would go on for ever


def fields(schema: Schema, components: Schema, *, is_request: bool = False, depth: int = 0) -> str:
    """Return the fields of an object. In requests it is said what is required: answers always have all."""
    required = schema.get("required", [])
    rows = []
    for name, kind in schema.get("properties", {}).items():
        must = ' <span class="must">required</span>' if is_request and name in required else ""
        inner = _inside(kind, components)
        below = ""
        if inner and depth < DEEPEST:
            shown = fields(inner, components, is_request=is_request, depth=depth + 1)
            below = f"<details><summary>Its fields</summary>{shown}</details>" if shown else ""
        rows.append(
            f'<div><dt><code>{escape(name)}</code></dt> <span class="kind">{kind_of(kind, components)}</span>{must}'
            f"<dd>{inline(said(kind))}{below}</dd></div>"
        )
    return f'<dl class="fields">{"".join(rows)}</dl>' if rows else ""


def resolve(schema: Schema, components: Schema) -> Schema:
    """Return what a reference names; anything else as it is."""
    return components[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def kind_of(schema: Schema, components: Schema) -> str:
    """One schema in a few words: named objects are links, named lists of words are shown."""
    if "$ref" in schema and "enum" not in resolve(schema, components):
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="/docs/schemas#{name}">{name}</a>'
    schema = {**resolve(schema, components), **({"default": schema["default"]} if "default" in schema else {})}
    if kinds := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(kind_of(kind, components) for kind in kinds)
    if "enum" in schema:
        default = f", default {escape(_value(schema['default']))}" if schema.get("default") else ""
        return " | ".join(f"<code>{escape(str(word))}</code>" for word in schema["enum"]) + default
    if "const" in schema:
        return f"<code>{escape(json.dumps(schema['const']))}</code>"
    if schema.get("type") == "array":
        most = f", at most {schema['maxItems']}" if "maxItems" in schema else ""
        return f"list of {kind_of(schema.get('items', {}), components)}{most}"
    limits = [f"{word} {_value(schema[name])}" for name, word in LIMITS.items() if _tells(schema.get(name))]
    types = schema.get("type", "anything")
    kind = " or ".join(types) if isinstance(types, list) else str(types)
    return escape(", ".join([str(schema.get("format") or kind), *limits]))


def _tells(limit: object) -> bool:
    """Whether a bound is worth saying: that of a 64-bit number is not, nor an empty default."""
    return limit not in (None, [], {}, "") and not (isinstance(limit, int) and abs(limit) >= LONGEST)


def _inside(schema: Schema, components: Schema) -> Schema | None:
    """Return the object that a field holds, by itself or in a list; None for what has no fields."""
    found = resolve(schema, components)
    if "items" in found:
        return _inside(found["items"], components)
    for kind in found.get("anyOf", []):
        if inner := _inside(kind, components):
            return inner
    return found if "properties" in found else None


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
