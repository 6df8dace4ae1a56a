"""The text form of API keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import key_text
from gateway.domain.key_text import ALPHABET, MalformedKeyError, mint, parse


def test_a_minted_key_is_read_back() -> None:
    """What `mint` makes, `parse` takes apart, and both agree on the hash."""
    key = mint("live")
    assert key.text.startswith(f"cf_live_{key.id}_")
    assert parse(key.text) == key
    assert parse(key.text).sha256 == key.sha256
    assert len(key.sha256) == 32


def test_keys_never_repeat() -> None:
    """A thousand keys have a thousand ids and secrets."""
    keys = [mint("test") for _ in range(1000)]
    assert len({key.id for key in keys}) == 1000
    assert len({key.text for key in keys}) == 1000


def test_a_key_does_not_show_its_text() -> None:
    """Printing a key, as a traceback would, shows no secret."""
    key = mint("live")
    assert key.text not in repr(key)


@given(st.data())
def test_any_typo_is_refused_without_a_database(data: st.DataObject) -> None:
    """Changing any one character makes the checksum wrong."""
    text = mint("live").text
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from(ALPHABET + "_-. "))
    if letter == text[place]:
        return
    with pytest.raises(MalformedKeyError):
        parse(text[:place] + letter + text[place + 1 :])


@given(st.text(max_size=300))
def test_garbage_is_malformed_and_nothing_else(text: str) -> None:
    """Whatever a client sends, the only complaint is MalformedKeyError."""
    with pytest.raises(MalformedKeyError):
        parse(text)


def test_longer_keys_of_the_future_are_read() -> None:
    """No length is fixed, so ids and secrets may grow."""
    start = f"cf_live_{'a' * 40}_{'B' * 90}"
    assert parse(start + key_text.checksum(start)).id == "a" * 40


@pytest.mark.parametrize("env", ["", "Live", "a_b", "x" * 17, "läve"])
def test_an_env_that_would_not_parse_is_not_minted(env: str) -> None:
    """`_` separates the parts, so an env is lower-case letters only."""
    with pytest.raises(ValueError, match="env"):
        mint(env)
