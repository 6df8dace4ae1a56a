"""The embedded file store: what its signed URLs allow."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import Conflict, NotFound
from gateway.storage.base import REJECTED, UPLOAD_TTL_S
from gateway.storage.directory import PATH, DirectoryStore


def _ticket(url: str) -> str:
    return url.removeprefix(f"{PATH}/")


def test_a_ticket_ends(tmp_path: Path) -> None:
    """After its time it opens nothing, nor ever for the other verb."""
    now = [1_000.0]
    store = DirectoryStore(tmp_path, clock=lambda: now[0])
    text = _ticket(store.create_upload("a/b", "text/plain", 5).url)
    assert store.open_ticket(text, "put").key == "a/b"
    with pytest.raises(NotFound):
        store.open_ticket(text, "get")
    now[0] += UPLOAD_TTL_S + 1
    with pytest.raises(NotFound):
        store.open_ticket(text, "put")


def test_workers_share_one_secret(tmp_path: Path) -> None:
    """What one signed another opens; a store of another directory does not; nobody else can read the secret."""
    one, other = DirectoryStore(tmp_path / "a"), DirectoryStore(tmp_path / "a")
    text = _ticket(one.create_upload("a/b", "text/plain", 5).url)
    assert other.open_ticket(text, "put").size_bytes == 5
    with pytest.raises(NotFound):
        DirectoryStore(tmp_path / "b").open_ticket(text, "put")
    assert (tmp_path / "a" / ".signing-key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", ".", "e30.", "é.é", "e30.00", "a" * 10_000])
def test_nonsense_is_no_ticket(tmp_path: Path, text: str) -> None:
    """And no error of ours."""
    with pytest.raises(NotFound):
        DirectoryStore(tmp_path).open_ticket(text, "put")


def test_a_file_arrives_whole_or_not_at_all(tmp_path: Path) -> None:
    """A client that goes in the middle leaves nothing behind."""
    store = DirectoryStore(tmp_path)
    ticket = store.open_ticket(_ticket(store.create_upload("a/b", "text/plain", 5).url), "put")

    def broken() -> Iterator[bytes]:
        yield b"ab"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        store.put(ticket, broken())
    assert store.find("a/b", 10) is None
    assert list((tmp_path / "a").iterdir()) == []
    store.put(ticket, [b"abcde"])
    store.reject("a/b", "text/plain")
    assert [file.read_bytes() for file in (tmp_path / "a").iterdir()] == [REJECTED]
    with pytest.raises(Conflict):
        store.put(ticket, [b"fghij"])
