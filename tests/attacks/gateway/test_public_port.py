"""Attack: ask the public port for figures, or name a Host that others are then sent to. Neither leads anywhere."""

from urllib.parse import urlsplit

import pytest
from flask import Flask

from gateway.metrics import FRESH_S, Metrics
from tests.integration.gateway.conftest import METRICS_PORT, PUBLIC_URL, Account, data, problem

PDF = b"%PDF-1.7 and so on"
LIES = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher"}


def test_figures_have_their_own_port(app: Flask, account: Account) -> None:
    """Not on the public one, whatever Host a caller names; and nothing of the API on theirs."""
    client, there = app.test_client(), f"http://localhost:{METRICS_PORT}"
    problem(client.get("/metrics"), 404, "not_found")
    problem(client.get("/metrics", headers={"Host": f"localhost:{METRICS_PORT}"}), 404, "not_found")
    assert client.get("/metrics", base_url=there).status_code == 200
    assert client.get("/livez", base_url=there).status_code == 200
    problem(account.get("/conversations", base_url=there), 404, "not_found")


def test_figures_are_gathered_once_a_second() -> None:
    """However many ask: the rest are given the same text."""
    now = [0.0]
    figures = Metrics(clock=lambda: now[0])
    first = figures.render()
    figures.key_lookups.labels("cache").inc()
    now[0] = FRESH_S / 2
    assert figures.render() is first
    now[0] = FRESH_S
    assert b'source="cache"} 1.0' in figures.render()


def test_the_callers_host_is_in_no_url(account: Account) -> None:
    """A reader is sent where the operator says, whatever Host or forwarding a request came with."""
    body = {"fileName": "a.pdf", "contentType": "application/pdf", "sizeBytes": len(PDF)}
    announced = data(account.post("/attachments", body, headers=LIES))
    upload = announced["upload"]
    assert upload["url"].startswith(f"{PUBLIC_URL}/files/")
    path = urlsplit(upload["url"]).path
    assert account.client.open(path, method=upload["method"], headers=upload["headers"], data=PDF).status_code == 200
    assert account.post(f"/attachments/{announced['id']}/confirm", headers=LIES).status_code == 200
    shown = data(account.get(f"/attachments/{announced['id']}", headers=LIES))
    assert shown["download"]["url"].startswith(f"{PUBLIC_URL}/files/")


@pytest.mark.parametrize("content", [b"<html><script>alert(1)</script>", b"MZ\x90\0 a program"])
def test_a_rejected_files_url_takes_no_other(account: Account, content: bytes) -> None:
    """What was looked at and refused stays refused: its URL is spent, and nothing can be had from it."""
    body = {"fileName": "innocent.pdf", "contentType": "application/pdf", "sizeBytes": len(content)}
    announced = data(account.post("/attachments", body))
    upload = announced["upload"]
    path = urlsplit(upload["url"]).path

    def put(file: bytes) -> int:
        return account.client.open(path, method=upload["method"], headers=upload["headers"], data=file).status_code

    assert put(content) == 200
    problem(account.post(f"/attachments/{announced['id']}/confirm"), 422, "attachment_rejected")
    assert put(PDF[: len(content)]) == 409
    shown = data(account.get(f"/attachments/{announced['id']}"))
    assert (shown["state"], shown["download"]) == ("rejected", None)
