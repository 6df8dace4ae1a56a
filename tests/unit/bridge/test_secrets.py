"""Sealed secrets: rotation, damage, and keys that cannot be used."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_bridge.shared.environment import ConfigurationError, Environment
from realtime_bridge.shared.secrets import SecretBox, SecretsError, new_key

KEY = base64.b64encode(bytes(range(32))).decode()  # a name of a test must not change from process to process


def box_of(*keys: str) -> SecretBox:
    box = SecretBox.from_env(Environment({"CROSSFADE_SECRETS_KEY": ",".join(keys)}))
    assert box is not None
    return box


@given(st.binary(max_size=200), st.text(max_size=20))
def test_what_is_sealed_opens_again(secret: bytes, context: str) -> None:
    """Within its context, and shows nothing of itself before."""
    box = SecretBox([bytes(32)])
    sealed = box.seal(secret, context)
    assert box.open(sealed, context) == secret
    assert box.seal(secret, context) != sealed
    with pytest.raises(SecretsError):
        box.open(sealed, context + "x")


def test_keys_rotate() -> None:
    """The first key seals, every key opens; without the old one the sentence says what is missing."""
    old, new = new_key(), new_key()
    sealed = box_of(old).seal(b"secret", "here")
    assert box_of(new, old).open(sealed, "here") == b"secret"
    assert box_of(new).open(box_of(new, old).seal(b"secret", "here"), "here") == b"secret"
    with pytest.raises(SecretsError, match="CROSSFADE_SECRETS_KEY"):
        box_of(new).open(sealed, "here")


def test_damage_is_noticed() -> None:
    """Every byte is under the tag, and a short text is no crash."""
    box = SecretBox([os.urandom(32)])
    sealed = box.seal(b"secret", "here")
    for position in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[position] ^= 1
        with pytest.raises(SecretsError):
            box.open(bytes(damaged), "here")
    for length in range(len(sealed)):
        with pytest.raises(SecretsError):
            box.open(sealed[:length], "here")


@pytest.mark.parametrize("text", ["hunter2", base64.b64encode(b"short").decode(), "é", KEY + ",x"])
def test_an_unusable_key_is_one_sentence(text: str) -> None:
    """It names the variable and how to make a key, and does not repeat what was there."""
    with pytest.raises(ConfigurationError, match="CROSSFADE_SECRETS_KEY must be") as caught:
        SecretBox.from_env(Environment({"CROSSFADE_SECRETS_KEY": text}))
    assert "hunter2" not in str(caught.value)


def test_no_key_is_no_box() -> None:
    """Whoever needs one says so."""
    assert SecretBox.from_env(Environment({})) is None
