"""JSON as it is read: numbers as written, a newline at the end, and a repeat that cannot be told apart."""

import json

import pytest

from tests.integration.gateway.conftest import Account


def test_answers_errors_and_probes_end_their_line(account: Account) -> None:
    """A shell's prompt begins where a prompt begins."""
    for path in ("/api/v1/chat/conversations", "/api/v1/chat/nothing", "/livez", "/api/v1/openapi.json"):
        answer = account.client.get(path, headers={"X-API-Key": account.key})
        assert answer.text.endswith("}\n"), path
        assert answer.headers["Content-Length"] == str(len(answer.data))


@pytest.mark.parametrize("number", ["-1.5", "123456789012345678901"])
def test_numbers_stay_as_they_were_written(account: Account, number: str) -> None:
    """A float of ours would not keep their digits."""
    path = f"/conversations/{account.make_conversation()}/messages"
    body = f'{{"content": "x", "metadata": {{"n": {number}}}}}'
    url = f"/api/v1/chat{path}"
    sent = account.client.post(url, data=body, headers={"X-API-Key": account.key, "Content-Type": "application/json"})
    assert sent.status_code == 201, sent.text
    shown = account.get(path)
    assert f'"n": {number}' in shown.text
    assert json.loads(shown.text)["success"] is True


def test_a_replayed_answer_is_the_same_text(account: Account) -> None:
    """The caller cannot tell."""
    body = {"contactJid": "a@b"}
    first, again = (account.post("/conversations", body, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.text == again.text
