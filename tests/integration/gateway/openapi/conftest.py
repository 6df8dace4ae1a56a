"""The document, as the gateway shows it."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from gateway.app import ROUTES
from gateway.http.routes import Proof

OURS = [route for route in ROUTES if route.proof is Proof.KEY]


@pytest.fixture(scope="module")
def document(running_app: Flask) -> dict[str, Any]:
    answer = running_app.test_client().get("/api/v1/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.get_json()
    return found


def described(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation
