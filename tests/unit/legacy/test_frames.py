"""What clients may send, frame by frame."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from socketio.packet import Packet

from realtime_bridge.legacy.socketio.packets import BadFrame, check_event, check_polling_body, check_websocket_frame


@pytest.mark.parametrize(
    "frame", ["1", "2probe", "3", "5", "40", '40{"token":"x"}', "41", '42["typing",{}]', '4217["a"]']
)
def test_frames_of_the_official_client_pass(frame: str) -> None:
    """What socket.io-client sends over a websocket is let through."""
    check_websocket_frame(frame, None)


def test_polling_bodies_of_the_official_client_pass() -> None:
    """Several packets in one body, as the client sends them after a reconnect, are let through."""
    check_polling_body(b"\x1e".join([b"3", *(f'42["subscribe:conversation","{n}"]'.encode() for n in range(200))]))


@given(st.text() | st.binary())
def test_any_frame_passes_or_is_bad(frame: str | bytes) -> None:
    """The check itself raises nothing else, and what passes begins like a packet of the dialect."""
    text, data = (frame, None) if isinstance(frame, str) else (None, frame)
    try:
        check_websocket_frame(text, data)
    except BadFrame as error:
        code = error.close_code
    else:
        code = 0
    starts = {"1", "2p", "3", "3p", "5", "6", "40", "41", "42", "43"}
    assert code in {1002, 1003} if text is None or text[:2] not in starts else code in {0, 1002}


@given(st.binary(max_size=300))
def test_any_body_passes_or_is_bad(body: bytes) -> None:
    """The same for a polling body."""
    try:
        check_polling_body(body)
    except BadFrame:
        return
    assert body[:1] in {b"1", b"3", b"4"}


@pytest.mark.parametrize("data", [None, {}, [], "typing", [1], [None], ["connect"], ["disconnect"], ["*"], ["x" * 65]])
def test_names_that_are_not_for_clients(data: object) -> None:
    """An event without a name, or with the name of a handler of the library, is bad."""
    with pytest.raises(BadFrame):
        check_event(data)


def test_library_still_trusts_its_input() -> None:
    """The reason for all this: remove the checks when the library no longer takes these."""
    assert Packet(encoded_packet='2["disconnect"]').data == ["disconnect"]
    assert Packet(encoded_packet='51000000-["a"]').attachment_count == 1_000_000
