"""Signatures against known vectors and against the official verifiers; the receiver's helper against an attacker."""

import base64
import json
import time
from typing import Any

import pytest
import standardwebhooks
import svix.webhooks
from hypothesis import given
from hypothesis import strategies as st

from realtime_bridge.webhooks.contract import signing
from realtime_bridge.webhooks.receiver import WebhookRefused, verify

SHORT_KEY = base64.b64decode("plJ3nmyCDGBKInavdOK15jsl")  # Svix's example; shorter than the specification allows
VECTOR_ID = "msg_loFOjxBNrRLzqYUf"
VECTOR_TIME = 1731705121
VECTOR_BODY = b'{"event_type":"ping","data":{"success":true}}'
VECTOR_SIGNATURE = "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="

# Made with the official libraries' own test data (standard-webhooks, javascript/src/index.test.ts).
VECTOR_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECOND_BODY = b'{"test": 2432232314}'


def signed(body: bytes, secret: str, *, at: int | None = None, message_id: str = "msg_1") -> dict[str, str]:
    timestamp = int(time.time()) if at is None else at
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signing.sign([signing.key_of(secret)], message_id, timestamp, body),
    }


def test_the_published_vectors() -> None:
    """What the specification's own implementations compute for these, we compute."""
    assert signing.sign([SHORT_KEY], VECTOR_ID, VECTOR_TIME, VECTOR_BODY) == VECTOR_SIGNATURE
    second = signing.sign([signing.key_of(VECTOR_SECRET)], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, SECOND_BODY)
    assert second == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(min_size=24, max_size=64), st.text(min_size=1, max_size=200))
def test_the_official_python_libraries_accept_what_we_sign(key: bytes, content: str) -> None:
    """Standardwebhooks and svix verify our requests, whatever the secret and the text."""
    secret = signing.PREFIX + base64.b64encode(key).decode()
    body = json.dumps({"content": content}, ensure_ascii=False).encode("utf-8", "replace")
    headers = signed(body, secret)
    standardwebhooks.Webhook(secret).verify(body, headers)
    svix.webhooks.Webhook(secret).verify(body, headers)
    assert verify(body, headers, secret) == json.loads(body)


@given(st.text(min_size=1, max_size=100))
def test_we_accept_what_the_official_library_signs(content: str) -> None:
    """The helper for subscribers is a verifier like any other."""
    from datetime import UTC, datetime

    secret = signing.new_secret()
    body = json.dumps({"content": content})
    moment = datetime.now(UTC)
    signature = standardwebhooks.Webhook(secret).sign("msg_2", moment, body)
    headers = {
        "Webhook-Id": "msg_2",
        "Webhook-Timestamp": str(int(moment.timestamp())),
        "Webhook-Signature": signature,
    }
    assert verify(body, headers, [signing.new_secret(), secret]) == {"content": content}


@pytest.mark.parametrize("size", [1, 15, 16, 23, 24, 32, 64, 65])
def test_a_secret_is_taken_as_every_library_takes_it(size: int) -> None:
    """Bare, unpadded, with the end of a line from a file, of any length: what theirs verifies, ours does."""
    key = bytes(range(1, size + 1))
    padded = base64.b64encode(key).decode()
    headers = {**signed(b"{}", VECTOR_SECRET), "webhook-signature": ""}
    headers["webhook-signature"] = signing.sign([key], "msg_1", int(headers["webhook-timestamp"]), b"{}")
    for secret in (padded, padded.rstrip("="), f"{padded}\n", signing.PREFIX + padded, f"whsec_{padded.rstrip('=')}\n"):
        standardwebhooks.Webhook(secret).verify(b"{}", headers)
        assert verify(b"{}", headers, secret) == {}
        with pytest.raises(WebhookRefused, match="No signature"):
            verify(b"[]", headers, secret)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_ä", "whsec_a", "whsec_a b", "whsec_=", None, 7])
def test_a_secret_that_is_none_says_so(secret: Any) -> None:
    """To the receiver itself, and in the error it knows."""
    with pytest.raises(WebhookRefused, match="Your own secret"):
        verify(b"{}", signed(b"{}", VECTOR_SECRET), [secret])


def test_any_live_secret_verifies() -> None:
    """With two signatures in the header, a receiver that knows either of the secrets accepts."""
    old, new = signing.new_secret(), signing.new_secret()
    now = int(time.time())
    headers = {
        "webhook-id": "m",
        "webhook-timestamp": str(now),
        "webhook-signature": signing.sign([signing.key_of(new), signing.key_of(old)], "m", now, b"{}"),
    }
    for secret in (old, new):
        assert verify(b"{}", headers, secret) == {}
        standardwebhooks.Webhook(secret).verify(b"{}", headers)
    with pytest.raises(WebhookRefused):
        verify(b"{}", headers, signing.new_secret())


@given(st.integers(min_value=0), st.integers(min_value=0, max_value=7))
def test_a_flipped_bit_is_refused(position: int, bit: int) -> None:
    """Anywhere in the body."""
    headers = signed(VECTOR_BODY, VECTOR_SECRET)
    body = bytearray(VECTOR_BODY)
    body[position % len(body)] ^= 1 << bit
    with pytest.raises(WebhookRefused):
        verify(bytes(body), headers, VECTOR_SECRET)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(VECTOR_SECRET).verify(VECTOR_BODY + b" ", headers)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_changed_or_missing_header_is_refused(name: str) -> None:
    """Each of the three is signed or is the signature."""
    headers = signed(VECTOR_BODY, VECTOR_SECRET)
    for changed in (headers | {name: headers[name] + "1"}, {n: v for n, v in headers.items() if n != name}):
        with pytest.raises(WebhookRefused):
            verify(VECTOR_BODY, changed, VECTOR_SECRET)


@pytest.mark.parametrize("age_s", [-301, 301, 10**9])
def test_a_stale_timestamp_is_refused(age_s: int) -> None:
    """Five minutes either way, unless the receiver says otherwise."""
    now = 2_000_000_000
    headers = signed(VECTOR_BODY, VECTOR_SECRET, at=now - age_s)
    with pytest.raises(WebhookRefused, match="timestamp"):
        verify(VECTOR_BODY, headers, VECTOR_SECRET, now_s=now)
    assert verify(VECTOR_BODY, headers, VECTOR_SECRET, now_s=now, tolerance_s=2 * 10**9)


HOSTILE: list[dict[str, Any]] = [
    {"webhook-signature": "v1"},
    {"webhook-signature": "v1,é"},
    {"webhook-signature": "v1,\udc80"},
    {"webhook-signature": "v1a,AAAA v1,"},
    {"webhook-timestamp": "١٧٣١٧٠٥١٢١"},
    {"webhook-timestamp": "-1"},
    {"webhook-timestamp": "1e9"},
    {"webhook-timestamp": "9" * 400},
    {"webhook-id": "\0"},
    {"webhook-id": None},
    {"webhook-signature": b"v1,\xff"},
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_headers_raise_the_one_error(hostile: dict[str, Any]) -> None:
    """Also where the official library raises something else, and a receiver would answer 500."""
    with pytest.raises(WebhookRefused):
        verify(VECTOR_BODY, signed(VECTOR_BODY, VECTOR_SECRET) | hostile, VECTOR_SECRET)


@given(
    st.binary(max_size=50) | st.text(max_size=50),
    st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text(max_size=30) | st.none()
    ),
)
def test_nothing_but_the_one_error_is_ever_raised(body: bytes | str, headers: dict[str, Any]) -> None:
    """Whatever is sent."""
    with pytest.raises(WebhookRefused):
        verify(body, headers, VECTOR_SECRET)


@pytest.mark.parametrize("body", [b"\xff\xfe", b"[" * 100_000, b"7", b"", b"{"])
def test_a_signed_body_that_is_no_object_is_refused(body: bytes) -> None:
    """Signed by somebody who knows the secret, and still no reason for a 500."""
    with pytest.raises(WebhookRefused):
        verify(body, signed(body, VECTOR_SECRET), VECTOR_SECRET)


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "hunter2", "whsec_dG9v", "whsec_" + "A" * 200, "whsec_é", "whsk_" + "A" * 32]
)
def test_a_malformed_secret_is_told(secret: str) -> None:
    """The sentence says what a secret looks like; the receiver's helper still raises its one error."""
    with pytest.raises(signing.MalformedSecret, match="whsec_"):
        signing.key_of(secret)
    with pytest.raises(WebhookRefused):
        verify(b"{}", {}, secret)


def test_new_secrets_differ_and_are_well_formed() -> None:
    """256 random bits each."""
    secrets = {signing.new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(len(signing.key_of(secret)) == 32 for secret in secrets)


def test_the_compatibility_signature_is_githubs() -> None:
    """GitHub's documented example."""
    key, body = b"It's a Secret to Everybody", b"Hello, World!"
    assert signing.sign_body(key, body) == "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
