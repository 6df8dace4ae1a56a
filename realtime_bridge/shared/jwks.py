"""Public keys of a project's tokens, kept for a while. `/auth/v1/.well-known/jwks.json`.

Used by `tokens.py`. What a stranger's token can cause is bounded: one request at a time, one in COOLDOWN_S for names of
keys that nobody knows, five seconds, 64 KB, 32 keys. Whoever names a known key never waits for it: what is older than
FRESH_S is asked for anew beside that, and while the address does not answer, known keys go on for STALE_S.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

import aiohttp
import structlog
from jwt import PyJWK

from realtime_bridge.shared import outbound, payloads
from realtime_bridge.shared.signing_key import ALGORITHMS

log = structlog.get_logger(__name__)

PATH = "/auth/v1/.well-known/jwks.json"
KEY_TYPES = frozenset({"EC", "RSA", "OKP"})  # never `oct`: a shared secret has no place in a public document
FRESH_S = 600.0  # Supabase's own edge keeps the document for ten minutes, so nobody may expect less of us
STALE_S = 6 * 3_600.0  # an outage of Auth is no reason to send everybody away; a revoked key must end some day
COOLDOWN_S = 10.0  # between two questions, whatever they are asked for
TIMEOUT_S = 5.0
MAX_BYTES = 65_536
MAX_KEYS = 32


class KeysUnavailable(Exception):
    """The document cannot be had, or is none."""


class ProjectKeys:
    """Keys by `kid`. Without a URL there are only those that are given. `clock` is monotonic."""

    def __init__(
        self, url: str | None = None, own: Sequence[PyJWK] = (), *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._own = {key.key_id: key for key in own}
        self._clock = clock
        self._fetched: Mapping[str, PyJWK] = {}
        self._fetched_at = float("-inf")
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    def find(self, kid: str) -> PyJWK | None:
        """Return a key that is known now."""
        if kid in self._own:
            return self._own[kid]
        return self._fetched.get(kid) if self._clock() - self._fetched_at < STALE_S else None

    async def prepare(self, kid: str) -> None:
        """Ask the project if this key is not known; if it has not been seen there for a while, too. Raises nothing."""
        if self._url is None or kid in self._own:
            return
        known = self.find(kid) is not None
        if known and self._clock() - self._fetched_at < FRESH_S:
            return
        if self._asking is None and self._clock() - self._asked_at >= COOLDOWN_S:
            self._asked_at = self._clock()
            self._asking = asyncio.create_task(self._ask(self._url))
        if self._asking is not None and not known:
            await asyncio.shield(self._asking)

    async def _ask(self, url: str) -> None:
        """Take over what the project publishes now; bounded by TIMEOUT_S."""
        try:
            self._fetched = await _fetch(url)
            self._fetched_at = self._clock()
        except KeysUnavailable as error:
            log.warning("the project's signing keys cannot be had", url=url, error=str(error))
        finally:
            self._asking = None


async def _fetch(url: str) -> Mapping[str, PyJWK]:
    """Raises KeysUnavailable."""
    try:
        async with (
            outbound.session(
                outbound.BoundedConnector(answer_bytes=MAX_BYTES), aiohttp.ClientTimeout(total=TIMEOUT_S)
            ) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            if answer.status != 200:  # noqa: PLR2004 - the only success
                raise KeysUnavailable(f"it answered {answer.status}")
            body = await answer.read()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise KeysUnavailable(f"{type(error).__name__}: {error}".rstrip(": ")) from None
    return _parse(body)


def _parse(body: bytes) -> Mapping[str, PyJWK]:
    """Return the keys that can verify; one that is broken or of an unknown kind is passed over."""
    try:
        listed = payloads.decode(body)["keys"]
    except (payloads.Unreadable, KeyError):
        raise KeysUnavailable("it is no JSON Web Key Set") from None
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise KeysUnavailable(f"it is no list of at most {MAX_KEYS} keys")
    keys = [key for raw in listed if (key := _key(raw)) is not None]
    return {str(key.key_id): key for key in keys}


def _key(raw: object) -> PyJWK | None:
    if not isinstance(raw, dict) or raw.get("kty") not in KEY_TYPES or not isinstance(raw.get("kid"), str):
        return None
    if raw.get("use", "sig") != "sig":
        return None
    try:
        key = PyJWK(raw)
    except Exception:  # noqa: BLE001 - whatever two libraries break on in a foreign document, this key is none
        return None
    return key if key.algorithm_name in ALGORITHMS else None
