"""When a thread may begin with a request: by the bytes that arrived, whatever pieces they came in."""

import pytest

from gateway.request_heads import HEAD_BYTES, SMALL_BYTES, HeadTooLarge, wanted_bytes

POST = b"POST / HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("arrived", "wanted"),
    [
        (b"", None),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", None),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27),
        (POST + b"Content-Length: 5\r\n\r\n", len(POST) + 21 + 5),
        (POST + b"content-length:5\r\nX: y\r\n\r\n12", len(POST) + 26 + 5),
        (POST + b"Content-Length: %d\r\n\r\n" % (SMALL_BYTES + 1), 0),
        (POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", 0),
    ],
)
def test_a_head_and_a_small_body_are_waited_for(arrived: bytes, wanted: int | None) -> None:
    """A large body, and one that waits for our word, are not."""
    assert wanted_bytes(arrived) == wanted


@pytest.mark.parametrize(
    "arrived", [b"GET / HTTP/1.1\nHost: x\n\n", POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", b"\r\n\r\n"]
)
def test_what_is_odd_is_the_parsers_business_at_once(arrived: bytes) -> None:
    """No client waits for a deadline to hear that its request is malformed."""
    wanted = wanted_bytes(arrived)
    assert wanted is not None
    assert wanted <= len(arrived)


def test_a_head_has_an_end() -> None:
    """What comes without one is refused, and not kept."""
    with pytest.raises(HeadTooLarge):
        wanted_bytes(b"GET / HTTP/1.1\r\nX: " + b"y" * HEAD_BYTES)


def test_a_head_in_pieces_is_found_where_they_meet() -> None:
    """A later look reads only what is new, and three bytes before it."""
    whole = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    for cut in range(1, len(whole)):
        assert wanted_bytes(whole[:cut]) is None
        assert wanted_bytes(whole, looked_at=cut) == len(whole)
