"""Makes webhooks over HTTP for tests; `owner` and `stranger` are in conftest."""

from typing import Any

import psycopg
from psycopg.rows import DictRow
from werkzeug.test import TestResponse

from tests.integration.gateway.conftest import Account, data

Conn = psycopg.Connection[DictRow]
URL = "https://hooks.example.com/in?tenant=7"


def make(owner: Account, **fields: Any) -> dict[str, Any]:
    answer = owner.post("/webhooks", {"url": URL} | fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = data(answer)
    return made


def delete(owner: Account, path: str) -> TestResponse:
    return owner.open("DELETE", path)
