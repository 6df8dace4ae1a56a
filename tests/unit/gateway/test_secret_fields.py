"""Secrets of a request are in no text that a log or a traceback shows."""

import pytest
from pydantic import BaseModel

from gateway.v1.schemas.channels import ChangeChannel, CreateChannel
from gateway.v1.schemas.webhooks import ChangeWebhook, CreateWebhook, RotateSecret

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
WORD = "a-word-that-nobody-else-may-read-0123456789"
CHANNEL = {"name": "sales", "baseUrl": "https://wuzapi.example.com", "token": WORD, "hmacKey": WORD}
WEBHOOK = {"url": "https://example.com/hook", "headers": {"Authorization": WORD}}


@pytest.mark.parametrize(
    ("model", "body", "secret"),
    [
        (CreateChannel, CHANNEL, WORD),
        (ChangeChannel, {"token": WORD, "hmacKey": WORD}, WORD),
        (CreateWebhook, WEBHOOK, WORD),
        (CreateWebhook, WEBHOOK | {"secret": SECRET}, SECRET),
        (ChangeWebhook, WEBHOOK, WORD),
        (RotateSecret, {"secret": SECRET}, SECRET),
    ],
)
def test_a_request_shows_no_secret(model: type[BaseModel], body: dict[str, object], secret: str) -> None:
    """Neither in its repr nor in its text; it is there all the same."""
    read = model.model_validate(body)
    assert secret not in repr(read)
    assert secret not in str(read)
    assert secret in read.model_dump_json()
