"""Schemas in words: what a field may be, which object it holds. Pure."""

import json
from collections.abc import Mapping
from html import escape
from typing import Any

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


def resolve(schema: Schema, components: Schema) -> Schema:
    """Return the component that a reference names; anything else as it is."""
    if "$ref" not in schema:
        return schema
    kind, name = schema["$ref"].split("/")[-2:]
    found: Schema = components[kind][name]
    return found


def kind_of(schema: Schema, components: Schema) -> str:
    """One schema in a few words of HTML: named objects are links, named lists of words are shown."""
    if "$ref" in schema and "enum" not in resolve(schema, components):
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="/docs/schemas#{name}">{name}</a>'
    schema = resolve(schema, components)
    if kinds := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(kind_of(kind, components) for kind in kinds)
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(word))}</code>" for word in schema["enum"])
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


def inside(schema: Schema, components: Schema) -> Schema | None:
    """Return the object that a field holds, by itself or in a list; None for what has no fields."""
    found = resolve(schema, components)
    if "items" in found:
        return inside(found["items"], components)
    for kind in found.get("anyOf", []):
        if inner := inside(kind, components):
            return inner
    return found if "properties" in found else None


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
