"""Attachments in Supabase Storage: the official client against a stand-in that speaks the Storage API's HTTP."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
import requests
from psycopg.rows import DictRow
from werkzeug.test import TestResponse

from gateway.app import create_app
from gateway.errors import ServiceUnavailable
from gateway.process.runtime import running
from gateway.settings import Settings
from gateway.storage.base import REJECTED
from gateway.storage.supabase import SupabaseStore
from tests.integration.gateway.conftest import Account, data, problem
from tests.servers.storage_server import StorageServer, serve_storage

PDF = b"%PDF-1.7" + b"x" * 2_000


@pytest.fixture
def storage() -> Iterator[StorageServer]:
    with serve_storage() as server:
        yield server


@pytest.fixture
def store(storage: StorageServer) -> SupabaseStore:
    return SupabaseStore(storage.url, storage.secret_key, "chat-attachments")


def _put(store: SupabaseStore, key: str, content: bytes) -> int:
    upload = store.create_upload(key, "application/pdf", len(content))
    return requests.request(upload.method, upload.url, data=content, headers=upload.headers, timeout=5).status_code


def test_a_file_goes_there_and_back(store: SupabaseStore, storage: StorageServer) -> None:
    """Uploaded without our key, looked at by its first bytes, read by a signed URL; rejected, its name stays taken."""
    assert store.find("a/b", 512) is None
    assert _put(store, "a/b", PDF) == 200
    assert storage.files["chat-attachments/a/b"] == (PDF, "application/pdf")
    assert store.find("a/b", 512) == (len(PDF), PDF[:512])
    url = store.download_url("a/b", "ä file.pdf", "application/pdf", 60)
    assert "download=" in url
    assert requests.get(url, timeout=5).content == PDF
    assert _put(store, "a/b", b"another") == 400
    store.reject("a/b", "application/pdf")
    assert store.find("a/b", 512) == (len(REJECTED), REJECTED)
    assert _put(store, "a/b", PDF) == 400


def test_a_store_that_refuses_or_is_gone_is_503(storage: StorageServer) -> None:
    """Nothing of the store's own words or our key goes out."""
    wrong = SupabaseStore(storage.url, "another-key", "chat-attachments")
    gone = SupabaseStore("http://127.0.0.1:9", "key", "chat-attachments")
    for store in (wrong, gone):
        with pytest.raises(ServiceUnavailable):
            store.create_upload("a/b", "application/pdf", 5)
        with pytest.raises(ServiceUnavailable):
            store.find("a/b", 5)
    storage.broken = True
    with pytest.raises(ServiceUnavailable):
        SupabaseStore(storage.url, storage.secret_key, "chat-attachments").reject("a/b", "application/pdf")


@pytest.fixture
def depositor(settings: Settings, storage: StorageServer, account: Account) -> Iterator[Account]:
    """The same account, on an app whose files lie in Supabase Storage."""
    kept = SupabaseStore(storage.url, storage.secret_key, "chat-attachments")
    with running(create_app(replace(settings, files=kept))) as app:
        yield Account(id=account.id, key=account.key, client=app.test_client())


def test_no_transaction_is_open_while_the_store_is_asked(
    depositor: Account, storage: StorageServer, conn: psycopg.Connection[DictRow]
) -> None:
    """Not even with an Idempotency-Key, which makes other requests one transaction; and it still is done once."""
    seen: list[list[DictRow]] = []
    again: list[TestResponse] = []

    def look() -> None:
        seen.append(
            conn.execute(
                "select state, query from pg_stat_activity where application_name = 'crossfade-gateway'"
                " and datname = current_database() and (state <> 'idle' or xact_start is not null)"
            ).fetchall()
        )
        again.append(other.post(asked[0], asked[1], headers=once))

    other = Account(id=depositor.id, key=depositor.key, client=depositor.client.application.test_client())
    once = {"Idempotency-Key": "the-file"}
    body = {"fileName": "a.pdf", "contentType": "application/pdf", "sizeBytes": len(PDF)}
    asked: tuple[str, Any] = ("/attachments", body)
    storage.meanwhile = look
    announced = data(depositor.post(*asked, headers=once))
    upload = announced["upload"]
    storage.meanwhile = lambda: None
    assert requests.put(upload["url"], data=PDF, headers=upload["headers"], timeout=5).status_code == 200
    storage.meanwhile = look
    asked = (f"/attachments/{announced['id']}/confirm", None)
    assert data(depositor.post(*asked, headers=once))["state"] == "ready"
    assert seen == [[], []]
    for answer in again:
        problem(answer, 409, "idempotency_in_flight")
    repeated = depositor.post("/attachments", body, headers=once)
    assert (data(repeated), repeated.headers["Idempotency-Replayed"]) == (announced, "true")
    assert conn.execute("select count(*) as n from chat_attachments").fetchone() == {"n": 1}
