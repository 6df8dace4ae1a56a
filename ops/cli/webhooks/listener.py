"""Forwarding of `crossfade webhooks listen`: events, signed and posted here. Stores nothing."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests
import urllib3.exceptions

from ops.cli.webhooks.sources import Carried, Source
from ops.errors import OpsError
from ops.machine.private_files import write_private
from realtime_bridge.webhooks.contract import signing

SECRET_FILE = "webhooks-listen-secret"  # noqa: S105 a name, not a secret; beside what `up` keeps
POST_TIMEOUT_S = 15.0  # as in earnest


def kept_secret(data_dir: Path) -> str:
    """Return the secret that listeners of this machine sign with: made once, kept for its owner only."""
    file = data_dir / SECRET_FILE
    with suppress(FileNotFoundError):
        secret = file.read_text(encoding="utf-8").strip()
        try:
            signing.key_of(secret)
        except signing.MalformedSecret as error:
            raise OpsError(f"{file}: {error} Delete the file for a new secret.") from None
        return secret
    data_dir.mkdir(parents=True, exist_ok=True)
    secret = signing.new_secret()
    write_private(file, f"{secret}\n")
    return secret


class Listener:
    """Forwards events one at a time, in the source's order."""

    def __init__(self, source: Source, *, target: str, secret: str) -> None:
        self._source = source
        self._target = target
        self.secret = secret
        self._keys = [signing.key_of(self.secret)]
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy has no business between two programs of one machine

    def forward(self, count: int | None) -> Iterator[dict[str, Any]]:
        """Yield what became of each event, until `count` were sent."""
        for sent, event in enumerate(self._source.events(), 1):
            yield self._post(event)
            if sent == count:
                return

    @staticmethod
    def line(shown: dict[str, Any]) -> str:
        return f"{shown['seq'] or '':>8}  {shown['type']:<22} {shown['eventId']}  {shown['status'] or shown['error']}"

    def _post(self, event: Carried) -> dict[str, Any]:
        now = int(time.time())
        headers = {
            "Content-Type": "application/json",
            signing.ID_HEADER: event.event_id,
            signing.TIMESTAMP_HEADER: str(now),
            signing.SIGNATURE_HEADER: signing.sign(self._keys, event.event_id, now, event.body),
        }
        shown = {"seq": event.seq, "type": event.type, "eventId": event.event_id, "status": None, "error": None}
        try:
            answer = self._session.post(
                self._target, data=event.body, headers=headers, timeout=POST_TIMEOUT_S, allow_redirects=False
            )
        except requests.RequestException as error:
            return shown | {"error": self._reason(error)}
        return shown | {"status": answer.status_code}

    def _reason(self, error: requests.RequestException) -> str:
        """Say in words why there is no answer."""
        if isinstance(error, requests.exceptions.SSLError):
            return f"the certificate of {self._target} is not trusted"
        if isinstance(error, requests.Timeout):
            return f"no answer from {self._target} within {POST_TIMEOUT_S:.0f} s"
        if error.args and isinstance(error.args[0], urllib3.exceptions.MaxRetryError):
            return f"nobody answers at {self._target}"
        return f"the connection to {self._target} broke off"
