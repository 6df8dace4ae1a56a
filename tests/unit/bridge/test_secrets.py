"""Sealed secrets: what opens them and what does not."""

import base64

import pytest

from realtime_bridge.environment import ConfigurationError, Environment
from realtime_bridge.secrets import SecretBox, SecretsError, new_key

OLD, NEW = bytes(range(32)), bytes(range(1, 33))


def box(text: str) -> SecretBox | None:
    return SecretBox.from_env(Environment({"CROSSFADE_SECRETS_KEY": text}))


def base64_of(*keys: bytes) -> str:
    return ", ".join(base64.b64encode(key).decode() for key in keys)


def test_what_was_sealed_opens_for_its_purpose_only() -> None:
    """A value that is copied to another row or column does not open there."""
    one = SecretBox([OLD])
    sealed = one.seal("größe".encode(), "channel:1:token")
    assert one.open(sealed, "channel:1:token") == "größe".encode()
    with pytest.raises(SecretsError):
        one.open(sealed, "channel:2:token")


def test_the_same_text_never_looks_the_same() -> None:
    """Who reads the table learns neither a secret nor which secrets are equal."""
    one = SecretBox([OLD])
    assert one.seal(b"token", "x") != one.seal(b"token", "x")
    assert b"token" not in one.seal(b"token", "x")


def test_a_rotated_key_still_opens_and_no_longer_seals() -> None:
    """The new key in front seals; the old one behind it opens what is stored, until it is taken away."""
    stored = SecretBox([OLD]).seal(b"token", "x")
    both = box(base64_of(NEW, OLD))
    assert both is not None
    assert both.open(stored, "x") == b"token"
    assert SecretBox([NEW]).open(both.seal(b"token", "x"), "x") == b"token"
    with pytest.raises(SecretsError):
        SecretBox([NEW]).open(stored, "x")


@pytest.mark.parametrize("place", [0, 2, 8, 20, -1])
def test_a_damaged_value_is_unreadable(place: int) -> None:
    """A flipped bit anywhere is noticed and raises one error type only."""
    sealed = bytearray(SecretBox([OLD]).seal(b"a longer token", "x"))
    sealed[place] ^= 1
    with pytest.raises(SecretsError):
        SecretBox([OLD]).open(bytes(sealed), "x")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" * 17])
def test_a_cut_value_is_unreadable(sealed: bytes) -> None:
    """Nothing but whole values are taken."""
    with pytest.raises(SecretsError):
        SecretBox([OLD]).open(sealed, "x")


@pytest.mark.parametrize("text", ["short", "c2hvcnQ=", f"{base64_of(OLD)},x", "%%%"])
def test_an_unusable_key_is_named_but_not_repeated(text: str) -> None:
    """The sentence says how to make a key and never holds the one that was given."""
    with pytest.raises(ConfigurationError, match=r"CROSSFADE_SECRETS_KEY must be .*openssl") as caught:
        box(text)
    assert text not in str(caught.value)


def test_without_the_variable_there_is_no_box() -> None:
    """Who keeps no secrets needs no key."""
    assert box("") is None


def test_a_new_key_is_usable() -> None:
    """What the embedded stack makes for itself opens a box."""
    assert box(new_key()) is not None
