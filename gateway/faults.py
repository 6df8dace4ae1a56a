"""What is wrong with a request, in the API's words: pydantic's faults as `FieldError`s. Pure; validation.py calls.

A schema of ours that raises `PydanticCustomError` says its own code and sentence; pydantic's own are written down here.
"""

from collections.abc import Callable, Mapping
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails, core_schema

from gateway.errors import FieldError

MAX_ERRORS = 20  # a body of 64 KB can hold thousands of faults; nobody reads more
MAX_POINTER_CHARS = 200  # pointers repeat the client's own field names
NATIVE = frozenset(get_args(core_schema.ErrorType))

Sentence = Callable[[Mapping[str, Any]], str]
"""From pydantic's context, and `place`: what carries the fault, a field or a parameter."""


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _choice(context: Mapping[str, Any]) -> str:
    return f"Send {context['expected'].replace(chr(39), '')}."


WORDS: Mapping[str, tuple[str, Sentence]] = {
    "missing": ("required", lambda c: f"Send this {c['place']}: it is required."),
    "extra_forbidden": ("unknown_field", lambda c: f"Leave it out: there is no {c['place']} of this name here."),
    "string_type": ("wrong_type", lambda _: "Send text."),
    "bool_type": ("wrong_type", lambda _: "Send true or false."),
    "int_type": ("wrong_type", lambda _: "Send a whole number."),
    "list_type": ("wrong_type", lambda _: "Send a list."),
    "dict_type": ("wrong_type", lambda _: "Send an object."),
    "model_type": ("wrong_type", lambda _: "Send an object."),
    "uuid_type": ("wrong_type", lambda _: "Send a UUID as text."),
    "uuid_parsing": ("not_a_uuid", lambda _: "Send a UUID such as 2f1c8a9e-3b4d-4c5e-8f60-718293a4b5c6."),
    "enum": ("not_allowed", _choice),
    "literal_error": ("not_allowed", _choice),
    "string_pattern_mismatch": (
        "wrong_form",
        lambda c: f"Send text of the form {c['pattern']} (a regular expression).",
    ),
    "string_too_short": ("too_short", lambda c: f"Send at least {_count(c['min_length'], 'character')}."),
    "string_too_long": ("too_long", lambda c: f"Send at most {_count(c['max_length'], 'character')}."),
    "too_short": ("too_short", lambda c: f"Send at least {_count(c['min_length'], 'item')}."),
    "too_long": ("too_long", lambda c: f"Send at most {_count(c['max_length'], 'item')}."),
    "too_many_bytes": ("too_long", lambda c: f"Send at most {c['max']} bytes of {c['kind']}; this has {c['size']}."),
    "greater_than_equal": ("out_of_range", lambda c: f"Send a number from {c['ge']} on."),
    "less_than_equal": ("out_of_range", lambda c: f"Send a number up to {c['le']}."),
}
UNFORESEEN = ("invalid", "Send what /docs shows for it.")


def body_errors(error: ValidationError) -> list[FieldError]:
    """Return what is wrong with a body, or a part of one: with pointers (RFC 6901) into it."""
    return [_body_error(fault) for fault in _faults(error)]


def query_errors(error: ValidationError) -> list[FieldError]:
    """Return what is wrong with a query, by the names of its parameters."""
    return [_query_error(fault) for fault in _faults(error)]


def pointer_to(*parts: str | int) -> str:
    return "".join(f"/{escape(str(part))}" for part in parts)[:MAX_POINTER_CHARS]


def escape(name: str) -> str:
    """RFC 6901 §3; unusual characters are shown escaped, so that the answer itself is clean."""
    clean = name if is_unicode(name) else ascii(name)[1:-1]
    return clean.replace("~", "~0").replace("/", "~1")


def is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _faults(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_input=False)[:MAX_ERRORS]


def _body_error(fault: ErrorDetails) -> FieldError:
    code, detail = _words(fault, "field")
    return FieldError(pointer=pointer_to(*fault["loc"]), code=code, detail=detail)


def _query_error(fault: ErrorDetails) -> FieldError:
    code, detail = _words(fault, "parameter")
    name = ".".join(str(part) for part in fault["loc"])[:MAX_POINTER_CHARS]
    return FieldError(parameter=name, code=code.replace("unknown_field", "unknown_parameter"), detail=detail)


def _words(fault: ErrorDetails, place: str) -> tuple[str, str]:
    kind = fault["type"]
    if kind in WORDS:
        code, sentence = WORDS[kind]
        return code, sentence({"place": place, **fault.get("ctx", {})})
    if kind in NATIVE:
        return UNFORESEEN
    return kind, fault["msg"]
