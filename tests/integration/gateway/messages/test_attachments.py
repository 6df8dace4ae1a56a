"""Files with messages: announced, uploaded to a signed URL, confirmed from their bytes, sent once."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from werkzeug.test import TestResponse

from gateway.domain.attachments import MIB
from tests.integration.gateway.conftest import Account, data, problem
from tests.integration.gateway.test_races import at_once

PDF = b"%PDF-1.7 and so on"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


@pytest.fixture
def conversation(account: Account) -> int:
    return account.make_conversation()


def _announce(account: Account, content: bytes, content_type: str, name: str = "a file.pdf") -> dict[str, Any]:
    body = {"fileName": name, "contentType": content_type, "sizeBytes": len(content)}
    answer = account.post("/attachments", body)
    assert answer.status_code == 201, answer.text
    announced: dict[str, Any] = data(answer)
    return announced


def _put(account: Account, announced: dict[str, Any], content: bytes) -> TestResponse:
    """As any HTTP client would, with nothing but what the answer says."""
    how = announced["upload"]
    return account.client.open(urlsplit(how["url"]).path, method=how["method"], headers=how["headers"], data=content)


def _ready(account: Account, content: bytes = PDF, content_type: str = "application/pdf") -> str:
    announced = _announce(account, content, content_type)
    assert _put(account, announced, content).status_code == 200
    assert data(account.post(f"/attachments/{announced['id']}/confirm"))["state"] == "ready"
    return str(announced["id"])


def test_a_file_goes_with_a_message(account: Account, conversation: int) -> None:
    """From announcing to reading it back; the message names it, without a URL that would end."""
    attachment = _ready(account)
    body = {"content": "", "messageType": "document", "attachmentIds": [attachment], "clientMessageId": "c"}
    sent = data(account.post(f"/conversations/{conversation}/messages", body))
    (shown,) = sent["attachments"]
    assert shown == {
        "id": attachment,
        "fileName": "a file.pdf",
        "contentType": "application/pdf",
        "sizeBytes": len(PDF),
    }
    got = data(account.get(f"/attachments/{attachment}"))
    assert (got["state"], got["messageId"]) == ("ready", sent["id"])
    with account.client.get(urlsplit(got["download"]["url"]).path) as answer:
        assert (answer.data, answer.content_type) == (PDF, "application/pdf")
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    again = account.post(f"/conversations/{conversation}/messages", body)
    assert (again.headers["Idempotency-Replayed"], data(again)) == ("true", sent)
    assert data(account.get(f"/conversations/{conversation}"))["lastMessagePreview"] == "[document]"


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ([(PNG, "image/png")], "image"),
        ([(PNG, "image/png"), (PNG, "image/png")], "image"),
        ([(b"OggS\0\2", "audio/ogg")], "audio"),
        ([(b"\x1a\x45\xdf\xa3\x01", "video/webm")], "video"),
        ([(PDF, "application/pdf")], "document"),
        ([(PNG, "image/png"), (PDF, "application/pdf")], "document"),
    ],
)
def test_files_alone_are_enough(account: Account, conversation: int, files: list[tuple[bytes, str]], kind: str) -> None:
    """No words, no type: what the message is follows from them, and the same again is the same message."""
    body = {"attachmentIds": [_ready(account, *file) for file in files], "clientMessageId": "c"}
    sent = data(account.post(f"/conversations/{conversation}/messages", body))
    assert (sent["messageType"], sent["content"], len(sent["attachments"])) == (kind, "", len(files))
    for again in (body, body | {"content": "", "messageType": kind}):
        assert data(account.post(f"/conversations/{conversation}/messages", again)) == sent
    other = account.post(f"/conversations/{conversation}/messages", body | {"content": "x"})
    problem(other, 422, "client_message_id_reused")


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"<html><script>alert(1)</script>", "image/png"),
        (b"MZ\x90\0 a program", "application/pdf"),
        (PNG, "image/jpeg"),
        (PNG, "text/plain"),
        (b"<svg onload='x'>", "text/plain"),
        (b"  <!DOCTYPE html>", "text/csv"),
        (PDF, "application/zip"),
        (b"RIFF\0\0\0\0AVI ", "audio/wav"),
        (b"\xff\xfe\0\0", "text/plain"),
    ],
)
def test_the_type_is_told_from_the_bytes(account: Account, content: bytes, content_type: str) -> None:
    """What is not what it was announced as is rejected for good, and can be neither sent nor read."""
    announced = _announce(account, content, content_type, name="innocent.png")
    assert _put(account, announced, content).status_code == 200
    for _ in range(2):
        problem(account.post(f"/attachments/{announced['id']}/confirm"), 422, "attachment_rejected")
    shown = data(account.get(f"/attachments/{announced['id']}"))
    assert (shown["state"], shown["download"]) == ("rejected", None)
    problem(_put(account, announced, content), 409, "conflict")


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0 jpeg", "image/jpeg"),
        (b"GIF89a...", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        (b"OggS\0\2", "audio/ogg"),
        (b"ID3\3\0", "audio/mpeg"),
        (b"\xff\xfb\x90\0", "audio/mpeg"),
        (b"\0\0\0\x20ftypM4A \0", "audio/mp4"),
        (b"\0\0\0\x20ftypisom\0", "video/mp4"),
        (b"\x1a\x45\xdf\xa3\x01", "video/webm"),
        (b"PK\3\4 docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("größe,10\r\n".encode(), "text/csv"),
        (b"plain text", "Text/Plain; charset=utf-8"),
    ],
)
def test_allowed_types_are_recognised(account: Account, content: bytes, content_type: str) -> None:
    """Every type of the list, by how such files begin."""
    _ready(account, content, content_type)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"contentType": "text/html"}, "not_allowed"),
        ({"contentType": "image/svg+xml"}, "not_allowed"),
        ({"contentType": None}, "wrong_type"),
        ({"sizeBytes": 0}, "out_of_range"),
        ({"sizeBytes": 25 * MIB + 1}, "too_large"),
        ({"contentType": "image/png", "sizeBytes": 6 * MIB}, "too_large"),
        ({"fileName": "../etc/passwd"}, "wrong_form"),
        ({"fileName": "a\nb"}, "wrong_form"),
        ({"fileName": " "}, "blank"),
        ({"fileName": "x" * 201}, "wrong_form"),
    ],
)
def test_what_may_not_be_announced(account: Account, body: dict[str, Any], code: str) -> None:
    """Types, sizes and names outside the list are refused before a byte is sent."""
    whole = {"fileName": "a.pdf", "contentType": "application/pdf", "sizeBytes": 10} | body
    document = problem(account.post("/attachments", whole), 422, "validation_failed")
    assert code in {fault["code"] for fault in document["errors"]}


def test_an_upload_is_what_its_url_was_signed_for(account: Account) -> None:
    """One file, not larger than announced; a forged or misused URL leads nowhere."""
    announced = _announce(account, PDF, "application/pdf")
    problem(account.post(f"/attachments/{announced['id']}/confirm"), 409, "attachment_not_uploaded")
    problem(_put(account, announced, PDF + b"more"), 413, "payload_too_large")
    assert sorted(at_once(4, lambda _: _put(account, announced, PDF).status_code)) == [200, 409, 409, 409]
    problem(_put(account, announced, PDF), 409, "conflict")
    path = urlsplit(announced["upload"]["url"]).path
    for wrong in (path[:-1] + ("0" if path[-1] != "0" else "1"), "/files/x.y", "/files/x", path.replace(".", "", 1)):
        assert account.client.put(wrong, data=PDF).status_code == 404
    assert account.client.get(path).status_code == 404
    short = _announce(account, PDF, "application/pdf")
    assert _put(account, short, PDF[:-1]).status_code == 200
    problem(account.post(f"/attachments/{short['id']}/confirm"), 422, "attachment_rejected")


def test_what_may_not_be_sent(account: Account, conversation: int, new_account: Callable[..., Account]) -> None:
    """Unknown, somebody else's, unconfirmed, of the wrong kind, taken or named twice: each is said."""
    path = f"/conversations/{conversation}/messages"
    mine, theirs = _ready(account), _ready(new_account())
    waiting = _announce(account, PDF, "application/pdf")["id"]

    def refused(ids: list[str], kind: str = "document") -> str:
        body = {"content": "", "messageType": kind, "attachmentIds": ids}
        return str(problem(account.post(path, body), 422, "validation_failed")["errors"][0]["code"])

    assert refused([str(uuid4())]) == "unknown_attachment"
    assert refused([theirs]) == "unknown_attachment"
    assert refused([waiting]) == "not_confirmed"
    assert refused([mine], "image") == "conflicting"
    assert refused([mine], "text") == "conflicting"
    assert refused([mine, mine]) == "duplicate"
    assert refused([str(uuid4()) for _ in range(11)]) == "too_long"
    body = {"content": "", "messageType": "document", "attachmentIds": [mine]}
    assert account.post(path, body).status_code == 201
    problem(account.post(path, body), 409, "attachment_taken")
    assert data(account.get(f"/conversations/{conversation}"))["lastSeq"] == 1


def test_one_of_many_messages_takes_a_file(account: Account, conversation: int) -> None:
    """Eight sends of one file at once: one message."""
    body = {"content": "x", "messageType": "document", "attachmentIds": [_ready(account)]}

    def send(_: int) -> int:
        return account.post(f"/conversations/{conversation}/messages", body).status_code

    assert sorted(at_once(8, send)) == [201] + [409] * 7


def test_another_account_knows_nothing_of_it(account: Account, new_account: Callable[..., Account]) -> None:
    """404 to read and to confirm."""
    attachment, stranger = _ready(account), new_account()
    problem(stranger.get(f"/attachments/{attachment}"), 404, "not_found")
    problem(stranger.post(f"/attachments/{attachment}/confirm"), 404, "not_found")
