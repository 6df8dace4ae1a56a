"""A channel's webhook as tests call it, and what came of the calls."""

from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.integration.gateway.conftest import WUZAPI_URL, Account, data
from tests.servers.wuzapi_server import HMAC_KEY, form_body, sign

PHONE = "5491155553934@s.whatsapp.net"
LID = "77001122@lid"


class Webhook:
    """One channel's webhook; every call is one signed request unless told otherwise."""

    def __init__(self, account: Account, **fields: Any) -> None:
        new = {"name": "whatsapp", "baseUrl": WUZAPI_URL, "token": "t", "hmacKey": HMAC_KEY}
        answer = account.post("/channels", new | fields)
        assert answer.status_code == 201, answer.text
        self.channel = data(answer)
        self.path: str = self.channel["webhookPath"]
        self.client: FlaskClient = account.client

    def post(self, body: bytes, content_type: str, signature: str | None = None) -> TestResponse:
        headers = {"x-hmac-signature": sign(body) if signature is None else signature, "Content-Type": content_type}
        return self.client.post(self.path, data=body, headers=headers)

    def tell(self, document: dict[str, Any]) -> str:
        """Send an event in the default encoding; return what became of it."""
        answer = self.post(*form_body(document))
        assert answer.status_code == 200, answer.text
        return str(data(answer)["result"])


def conversations(account: Account) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = data(account.get("/conversations"))
    return found


def messages(account: Account, conversation_id: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = data(account.get(f"/conversations/{conversation_id}/messages"))
    return found
