"""Faults in requests are told in the API's words: where, which, what to do; and never in those of the library."""

import re
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from gateway.app import ROUTES
from gateway.http.validation import NATIVE, UNFORESEEN, WORDS, body_errors, query_errors
from gateway.v1.schemas.conversations import CreateConversation, ListConversations, PatchConversation
from gateway.v1.schemas.events import ListEvents
from gateway.v1.schemas.fields import Body
from gateway.v1.schemas.messages import SendMessage
from gateway.v1.schemas.participants import MarkRead
from gateway.v1.schemas.webhooks import CreateWebhook

MODELS = sorted(
    {model for route in ROUTES for model in (route.body, route.query, *route.mentions) if model is not None},
    key=lambda model: model.__name__,
)
TEXTS = ["", " ", "x", "X y", "x" * 9_999, "é" * 300, "\0", "-1", "0", "9" * 30, "2020-13-01T00:00:00Z", "-" * 36]
ANYTHING: list[Any] = [
    None,
    True,
    0,
    -1,
    1,
    1.5,
    10**30,
    [],
    [1],
    [{}],
    ["x"] * 1_000,
    {},
    {"a": 1},
    {"a": "b"},
    *TEXTS,
]
LIBRARY = re.compile(r"[Ii]nput|Field required|valid |instance|permitted|should|\bNone\b|\bdict|\bstr\b|pydantic")


def _faults(model: type[BaseModel], document: Any) -> ValidationError | None:
    try:
        model.model_validate(document)
    except ValidationError as error:
        return error
    return None


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_no_schema_speaks_the_librarys_language(model: type[BaseModel]) -> None:
    """Odd values in every field: each fault has a code and a sentence of ours, and no name of a class is told."""
    is_body = issubclass(model, Body)
    fields = [field.alias or name for name, field in model.model_fields.items()]
    documents: list[Any] = [{}, {"zzz": "1"}, *([None, [], "text"] if is_body else [])]
    documents += [{name: odd} for name in fields for odd in (ANYTHING if is_body else TEXTS)]
    tell = body_errors if is_body else query_errors
    for document in documents:
        error = _faults(model, document)
        for fault in error.errors() if error else []:
            assert fault["type"] in WORDS or fault["type"] not in NATIVE, (document, fault)
        for told in tell(error) if error else []:
            place = told.pointer if is_body else told.parameter
            assert place is not None
            assert re.fullmatch(r"[a-z_]+", told.code), told
            assert re.fullmatch(r"[A-Z`].*\.", told.detail), told
            assert not LIBRARY.search(told.detail), told
            assert not any(word.__name__ in told.detail for word in MODELS), told


@pytest.mark.parametrize(
    ("model", "document", "place", "code", "detail"),
    [
        (SendMessage, {}, "/content", "required", "Send this field: it is required."),
        (SendMessage, [], "", "wrong_type", "Send an object."),
        (SendMessage, {"content": 1}, "/content", "wrong_type", "Send text."),
        (
            SendMessage,
            {"content": "é" * 3_000},
            "/content",
            "too_long",
            "Send at most 4096 bytes of UTF-8; this has 6000.",
        ),
        (
            SendMessage,
            {"content": "x", "a/b": 1},
            "/a~1b",
            "unknown_field",
            "Leave it out: there is no field of this name here.",
        ),
        (
            SendMessage,
            {"content": "x", "messageType": "gif"},
            "/messageType",
            "not_allowed",
            "Send text, image, audio, video or document.",
        ),
        (SendMessage, {"content": "x", "replyToId": "1"}, "/replyToId", "wrong_type", "Send a whole number."),
        (SendMessage, {"content": "x", "replyToId": 0}, "/replyToId", "out_of_range", "Send a number from 1 on."),
        (SendMessage, {"content": "x", "metadata": []}, "/metadata", "wrong_type", "Send an object."),
        (SendMessage, {"content": "x", "attachmentIds": {}}, "/attachmentIds", "wrong_type", "Send a list."),
        (SendMessage, {"content": "x", "attachmentIds": [7]}, "/attachmentIds/0", "wrong_type", "Send a UUID as text."),
        (
            MarkRead,
            {"seq": 1, "userId": "z" * 8 + "-0000-4000-8000-000000000000"},
            "/userId",
            "not_a_uuid",
            "Send a UUID such as 2f1c8a9e-3b4d-4c5e-8f60-718293a4b5c6.",
        ),
        (MarkRead, {"seq": 2**63}, "/seq", "out_of_range", "Send a number up to 9223372036854775807."),
        (PatchConversation, {}, "", "empty", "Name at least one field to change."),
        (CreateConversation, {"contactJid": ""}, "/contactJid", "too_short", "Send at least 1 character."),
        (CreateConversation, {"contactJid": "x" * 256}, "/contactJid", "too_long", "Send at most 255 characters."),
        (
            CreateConversation,
            {"contactJid": "x", "channel": "A b"},
            "/channel",
            "wrong_form",
            "Send text of the form ^[a-z0-9_-]{1,64}$ (a regular expression).",
        ),
        (CreateWebhook, {"url": "x", "eventTypes": []}, "/eventTypes", "too_short", "Send at least 1 item."),
        (CreateWebhook, {"url": "x", "eventTypes": ["*"] * 51}, "/eventTypes", "too_long", "Send at most 50 items."),
        (CreateWebhook, {"url": "x", "fifo": "yes"}, "/fifo", "wrong_type", "Send true or false."),
        (
            ListConversations,
            {"page_size": "1"},
            "page_size",
            "unknown_parameter",
            "Leave it out: there is no parameter of this name here.",
        ),
        (ListConversations, {"limit": "ten"}, "limit", "not_a_number", "Send a whole number in plain digits."),
        (ListEvents, {"wait": "26"}, "wait", "out_of_range", "Send a number up to 25."),
    ],
)
def test_each_fault_says_what_to_do(model: type[BaseModel], document: Any, place: str, code: str, detail: str) -> None:
    """The place by its JSON Pointer or parameter, a code that never changes, and what to do."""
    error = _faults(model, document)
    assert error is not None
    (told,) = (body_errors if issubclass(model, Body) else query_errors)(error)
    assert (told.pointer if issubclass(model, Body) else told.parameter, told.code, told.detail) == (
        place,
        code,
        detail,
    )


def test_what_nobody_foresaw_is_told_without_the_librarys_words() -> None:
    """A kind of fault that is in no table yet has a code and a sentence all the same."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(float).validate_python("text")
    (told,) = body_errors(caught.value)
    assert (told.code, told.detail) == UNFORESEEN
