"""Problems that no view raises: what the server refuses before Flask, and what an operator has not switched on."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from gateway.app import create_app
from gateway.process.refusals import write_problem
from gateway.process.runtime import Runtime
from gateway.settings import Settings
from tests.integration.gateway.conftest import API, Account, problem
from tests.servers.gateway_server import GatewayServer, serve

REFUSED = {
    "bad_request": b"GET /livez\r\n\r\n\r\n",
    "uri_too_long": b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "header_fields_too_large": b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 20_000,
    "not_implemented": b"POST /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: magic, chunked\r\n\r\n0\r\n\r\n",
    "expectation_failed": b"POST /livez HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\nContent-Length: 1\r\n\r\nx",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, gateway_url: str, limits_url: str) -> Iterator[GatewayServer]:
    with serve(tmp_path_factory.mktemp("problems"), gateway_url, limits_url) as started:
        yield started


@pytest.mark.parametrize("code", REFUSED)
def test_the_server_refuses_in_the_same_words(server: GatewayServer, code: str) -> None:
    """What never reaches a view is problem+json as well, with the code that the docs explain."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(REFUSED[code])
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, text = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, answer
    document: dict[str, Any] = json.loads(text)
    assert document["code"] == code
    assert document["type"] == f"/docs/problems/{code}"


@pytest.mark.parametrize(("status", "code"), [(403, "forbidden"), (400, "bad_request"), (599, "internal_error")])
def test_whatever_else_the_server_refuses_has_a_code(status: int, code: str) -> None:
    """Also what only an operator's own settings of gunicorn bring about, and what it may come to refuse."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        write_problem(ours, status, "Refused", "")
        ours.close()
        head, _, text = theirs.makefile("rb").read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d Refused" % status)
    assert (json.loads(text)["code"], json.loads(text)["status"]) == (code, status)


def test_what_is_switched_off_says_so(settings: Settings, app: Flask, account: Account) -> None:
    """501 for files in a deployment that has no place for them."""
    without = create_app(replace(settings, files=None))
    try:
        body = {"fileName": "a.pdf", "contentType": "application/pdf", "sizeBytes": 9}
        answer = without.test_client().post(f"{API}/attachments", json=body, headers={"X-API-Key": account.key})
        problem(answer, 501, "not_configured")
    finally:
        Runtime.of(without).database.close()
        Runtime.of(without).limits.close()
