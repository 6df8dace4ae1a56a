"""The last gate, before each view: what a request may say. Turns JSON and query strings into checked models."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, TypeVar, get_args

from flask import current_app, request
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import core_schema

from gateway.errors import FieldError, MalformedJson, PayloadTooLarge, UnsupportedMediaType, ValidationFailed

MAX_ERRORS = 20  # a body of 64 KB can hold thousands of faults; nobody reads more
MAX_POINTER_CHARS = 200  # pointers repeat the client's own field names
NATIVE = frozenset(get_args(core_schema.ErrorType))
UNFORESEEN = ("invalid", "Send what /docs shows for it.")
MAX_BODY_BYTES = "CROSSFADE_MAX_BODY_BYTES"  # the app's config holds it; the gate of that name sets it
Model = TypeVar("Model", bound=BaseModel)


# By pydantic's kind of fault: our code, and what to do, with its figures, the `place`, and `s` for more than one.
WORDS: Mapping[str, tuple[str, str]] = {
    "missing": ("required", "Send this {place}: it is required."),
    "extra_forbidden": ("unknown_field", "Leave it out: there is no {place} of this name here."),
    "string_type": ("wrong_type", "Send text."),
    "bool_type": ("wrong_type", "Send true or false."),
    "int_type": ("wrong_type", "Send a whole number."),
    "list_type": ("wrong_type", "Send a list."),
    "dict_type": ("wrong_type", "Send an object."),
    "model_type": ("wrong_type", "Send an object."),
    "uuid_type": ("wrong_type", "Send a UUID as text."),
    "uuid_parsing": ("not_a_uuid", "Send a UUID such as 2f1c8a9e-3b4d-4c5e-8f60-718293a4b5c6."),
    "enum": ("not_allowed", "Send {expected}."),
    "literal_error": ("not_allowed", "Send {expected}."),
    "string_pattern_mismatch": ("wrong_form", "Send text of the form {pattern} (a regular expression)."),
    "string_too_short": ("too_short", "Send at least {min_length} character{s}."),
    "string_too_long": ("too_long", "Send at most {max_length} character{s}."),
    "too_short": ("too_short", "Send at least {min_length} item{s}."),
    "too_long": ("too_long", "Send at most {max_length} item{s}."),
    "too_many_bytes": ("too_long", "Send at most {max} bytes of {kind}; this has {size}."),
    "greater_than_equal": ("out_of_range", "Send a number from {ge} on."),
    "less_than_equal": ("out_of_range", "Send a number up to {le}."),
}


def body_errors(error: ValidationError) -> list[FieldError]:
    """Return what is wrong with a body, or a part of one: with pointers (RFC 6901) into it."""
    faults = _faults(error, "field")
    return [FieldError(pointer=pointer_to(*place), code=code, detail=detail) for place, code, detail in faults]


def query_errors(error: ValidationError) -> list[FieldError]:
    """Return what is wrong with a query, by the names of its parameters."""
    found = []
    for place, code, detail in _faults(error, "parameter"):
        name = ".".join(map(str, place))[:MAX_POINTER_CHARS]
        own_code = code.replace("unknown_field", "unknown_parameter")
        found.append(FieldError(parameter=name, code=own_code, detail=detail))
    return found


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


def _faults(error: ValidationError, place: str) -> Iterator[tuple[tuple[int | str, ...], str, str]]:
    """Yield where each fault is, its code and what to do about it."""
    for fault in error.errors(include_url=False, include_input=False)[:MAX_ERRORS]:
        kind = fault["type"]
        if kind in WORDS:
            code, sentence = WORDS[kind]
            figures = {"place": place, **fault.get("ctx", {})}
            figures["expected"] = str(figures.get("expected")).replace("'", "")
            figures["s"] = "" if 1 in (figures.get("min_length"), figures.get("max_length")) else "s"
            yield fault["loc"], code, sentence.format_map(figures)
        else:
            yield fault["loc"], *(UNFORESEEN if kind in NATIVE else (kind, fault["msg"]))


class NoQuery(BaseModel):
    """For routes without parameters: whatever is sent is unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read_body(model: type[Model]) -> Model:
    """Parse the JSON body. Raises 415, 413, 400 with the position, or 422 with a pointer for every fault."""
    document = _parse(_raw_body())
    check_text(document)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise ValidationFailed(*body_errors(error)) from None


def read_query(model: type[Model]) -> Model:
    """Check the query string: unknown, repeated and unusable parameters are refused by name."""
    repeated = [
        FieldError(parameter=name[:MAX_POINTER_CHARS], code="repeated", detail="Send it once.")
        for name, values in request.args.lists()
        if len(values) > 1
    ]
    if repeated:
        raise ValidationFailed(*repeated)
    try:
        return model.model_validate(request.args.to_dict())
    except ValidationError as error:
        raise ValidationFailed(*query_errors(error)) from None


def _raw_body() -> bytes:
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.mimetype != "application/json" or charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("Send the body as Content-Type: application/json in UTF-8.")
    most = (request.max_content_length or current_app.config[MAX_BODY_BYTES] + 1) - 1  # the view's own limit
    raw = request.get_data(cache=False)
    if len(raw) > most:
        raise PayloadTooLarge(f"Send at most {most} bytes.")
    return raw


def _parse(raw: bytes) -> Any:
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
    except UnicodeDecodeError as error:
        raise MalformedJson(f"Byte {error.start} is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise MalformedJson(f"{error.msg} at line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise MalformedJson("It is nested too deeply.") from None
    except ValueError as error:  # ours below, and Python's bound on the digits of a number
        raise MalformedJson(f"{error}" if isinstance(error, _Refused) else "A number has too many digits.") from None


class _Refused(ValueError):
    """Something Python's parser would let through although it is not, or not safely, JSON."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        seen: set[str] = set()
        name = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise _Refused(f"The name {ascii(name)[:MAX_POINTER_CHARS]} occurs twice in one object.")
    return document


def _constant(word: str) -> NoReturn:
    raise _Refused(f"{word} is not JSON.")


def _float(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise _Refused("A number is too large.")
    return number


def check_text(document: Any) -> None:
    """Refuse what no UTF-8 text column can hold: NUL and halves of surrogate pairs, in names and values alike."""
    errors = []
    for pointer, text in _texts(document, ""):
        if "\0" in text:
            errors.append(FieldError(pointer=pointer, code="nul_character", detail="Remove the NUL character."))
        elif not is_unicode(text):
            errors.append(FieldError(pointer=pointer, code="lone_surrogate", detail="Send whole Unicode characters."))
        if len(errors) == MAX_ERRORS:
            break
    if errors:
        raise ValidationFailed(*errors)


def _texts(node: Any, pointer: str) -> Iterator[tuple[str, str]]:
    """Every string beneath `node`. An explicit stack, because nesting is the client's choice."""
    waiting = [(node, pointer)]
    while waiting:
        current, place = waiting.pop()
        if isinstance(current, str):
            yield place, current
        elif isinstance(current, dict):
            for name, value in current.items():
                below = f"{place}/{escape(name)}"[:MAX_POINTER_CHARS]
                yield below, name
                waiting.append((value, below))
        elif isinstance(current, list):
            waiting.extend((value, f"{place}/{index}"[:MAX_POINTER_CHARS]) for index, value in enumerate(current))
