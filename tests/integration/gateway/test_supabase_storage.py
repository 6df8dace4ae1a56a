"""Attachments in Supabase Storage: the official client against a stand-in that speaks the Storage API's HTTP."""

from collections.abc import Iterator

import pytest
import requests

from gateway.errors import ServiceUnavailable
from gateway.storage.supabase import SupabaseStore
from tests.storage_server import StorageServer, serve_storage

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
    """Uploaded without our key, looked at by its first bytes, read by a signed URL, taken away."""
    assert store.find("a/b", 512) is None
    assert _put(store, "a/b", PDF) == 200
    assert storage.files["chat-attachments/a/b"] == (PDF, "application/pdf")
    found = store.find("a/b", 512)
    assert found is not None
    assert (found.size_bytes, found.head) == (len(PDF), PDF[:512])
    url = store.download_url("a/b", "ä file.pdf", "application/pdf", 60)
    assert "download=" in url
    assert requests.get(url, timeout=5).content == PDF
    assert _put(store, "a/b", b"another") == 400
    store.delete("a/b")
    store.delete("a/b")
    assert store.find("a/b", 512) is None


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
        SupabaseStore(storage.url, storage.secret_key, "chat-attachments").delete("a/b")
