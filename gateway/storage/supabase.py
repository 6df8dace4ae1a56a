"""Supabase Storage, through the official client. A private bucket, signed URLs, first bytes by a ranged GET.

The part for storage alone (`storage3`), because the client around it cannot be told a timeout without a warning.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import requests
from storage3 import SyncStorageClient
from storage3._sync.file_api import SyncBucketProxy
from storage3.exceptions import StorageApiError

from gateway.errors import ServiceUnavailable
from gateway.storage.base import REJECTED, Upload

TIMEOUT_S = 5  # the store answers in some ten milliseconds; a client waits meanwhile
LOOK_TTL_S = 60


class SupabaseStore:
    def __init__(self, url: str, secret_key: str, bucket: str) -> None:
        self._url = url
        self._secret_key = secret_key
        self._bucket = bucket
        self._client: SyncStorageClient | None = None

    def create_upload(self, key: str, content_type: str, size_bytes: int) -> Upload:  # noqa: ARG002 the bucket's limit
        with _answers():
            signed = self._files().create_signed_upload_url(key)
        return Upload(url=signed["signed_url"], headers={"Content-Type": content_type})

    def download_url(self, key: str, file_name: str, content_type: str, ttl_s: int) -> str:  # noqa: ARG002 as uploaded
        with _answers():
            return str(self._files().create_signed_url(key, ttl_s, {"download": file_name})["signedURL"])

    def find(self, key: str, head_bytes: int) -> tuple[int, bytes] | None:
        """One request for the first bytes also says how many there are (RFC 9110 §14.4)."""
        try:
            with _answers():
                url = str(self._files().create_signed_url(key, LOOK_TTL_S)["signedURL"])
                wanted = {"Range": f"bytes=0-{head_bytes - 1}"}
                with requests.get(url, headers=wanted, timeout=TIMEOUT_S, stream=True) as answer:
                    answer.raise_for_status()
                    head = answer.raw.read(head_bytes)
                    total = re.search(r"/(\d+)$", answer.headers.get("Content-Range", ""))
                    size = int(total[1]) if total else int(answer.headers["Content-Length"])
        except _Missing:
            return None
        return size, head

    def reject(self, key: str, content_type: str) -> None:
        """Over the file and not in its stead: a signed upload URL works again once there is nothing."""
        with _answers():
            self._files().update(key, REJECTED, {"content-type": content_type})

    def _files(self) -> SyncBucketProxy:
        if self._client is None:  # not before the fork: connections belong to the worker
            headers = {"apikey": self._secret_key, "Authorization": f"Bearer {self._secret_key}"}
            base_url = f"{self._url.rstrip('/')}/storage/v1/"
            http = httpx.Client(timeout=TIMEOUT_S, http2=False, follow_redirects=False)
            self._client = SyncStorageClient(base_url, headers, http_client=http)
        return self._client.from_(self._bucket)


class _Missing(Exception):
    """Nothing was uploaded under this key."""


@contextmanager
def _answers() -> Iterator[None]:
    """Turn what the store says, and its silence, into what the gateway answers."""
    try:
        yield
    except StorageApiError as error:
        if str(error.status) == "404" or error.code in ("NoSuchKey", "not_found") or "not found" in error.message:
            raise _Missing from error
        raise ServiceUnavailable("The file store refused; try again.") from error
    except (httpx.HTTPError, requests.RequestException, KeyError) as error:
        raise ServiceUnavailable("The file store does not answer; try again.") from error
