"""Frames of both versions: what is read, what is refused, what is written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.local_supabase.wire import json_text, v1, v2
from ops.local_supabase.wire.frames import Encoding, Frame, MalformedFrameError, UserBroadcastPush, Version
from ops.local_supabase.wire.messages import BinaryFanout, TextFanout, UserFanout

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
SHORT = st.text(max_size=60)


@given(JSON, JSON, JSON, JSON, JSON)
def test_any_json_survives_a_version_2_text_frame(
    join_ref: object, ref: object, topic: object, event: object, payload: object
) -> None:
    """Whatever JSON the five parts are, reading what was written gives them back."""
    text = json_text.encode([join_ref, ref, topic, event, payload])
    frame = v2.decode_text(text)
    assert (frame.join_ref, frame.ref, frame.topic, frame.event, frame.payload) == (
        join_ref,
        ref,
        topic,
        event,
        payload,
    )


@given(st.binary(max_size=80) | st.text().map(str.encode))
def test_no_bytes_crash_a_decoder(data: bytes) -> None:
    """Every input is either a frame or a MalformedFrameError, in both versions, as text and as binary."""
    for decode in (v1.decode, v2.decode_text, v2.decode_binary):
        try:
            frame = decode(data)
        except MalformedFrameError:
            continue
        assert isinstance(frame, Frame)


@given(SHORT, SHORT, SHORT, SHORT, st.binary(max_size=100), st.sampled_from(Encoding))
def test_a_kind_3_frame_is_read_as_it_was_packed(
    join_ref: str, ref: str, topic: str, event: str, content: bytes, encoding: Encoding
) -> None:
    """The JavaScript client's binary broadcast gives back its five parts."""
    parts = [part.encode() for part in (join_ref, ref, topic, event)]
    data = bytes([3, *map(len, parts), 0, encoding]) + b"".join(parts) + content
    frame = v2.decode_binary(data)
    assert (frame.join_ref, frame.ref, frame.topic, frame.event) == (join_ref, ref, topic, "broadcast")
    assert frame.payload == UserBroadcastPush(event, encoding, content)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "NaN",
        '["1","1","t","e",NaN]',
        '["1","1","t","e",1e999]',
        '["1","1","t","e","\\ud800"]',
        "[" * 100_000,
        '["1","1","t","e",' + "9" * 5000 + "]",
    ],
)
def test_text_that_cannot_be_sent_on_is_refused(text: str) -> None:
    """Half surrogates, infinities, absurd nesting and absurd numbers are malformed, not accidents."""
    with pytest.raises(MalformedFrameError):
        v2.decode_text(text)


def test_a_version_1_frame_has_four_keys_and_a_null_ref_for_pushes() -> None:
    """The Python client drops frames without a `ref` key."""
    frame = TextFanout("realtime:t", "broadcast", {"event": "e"}).encoded(Version.V1)
    assert frame is not None
    assert json.loads(frame.data) == {
        "ref": None,
        "event": "broadcast",
        "payload": {"event": "e"},
        "topic": "realtime:t",
    }


def test_raw_content_is_not_for_version_1() -> None:
    """Bytes reach version 2 as kind 4 and version 1 not at all."""
    message = UserFanout("realtime:t", "e", b"\x00\xff", Encoding.RAW, message_id="m")
    assert message.encoded(Version.V1) is None
    frame = message.encoded(Version.V2)
    assert frame is not None
    assert frame.data == b'\x04\x0a\x01\x0a\x00realtime:te{"id":"m"}\x00\xff'


def test_an_event_of_more_than_255_bytes_does_not_fit_a_binary_frame() -> None:
    """The caller learns of it as a ValueError; version 1 has no such limit."""
    message = UserFanout("realtime:t", "é" * 200, b"{}", Encoding.JSON)
    assert message.encoded(Version.V1) is not None
    with pytest.raises(ValueError, match="255"):
        message.encoded(Version.V2)


def test_a_binary_broadcast_reaches_version_1_as_the_real_server_sends_it() -> None:
    """A frame that is no JSON, to the letter."""
    frame = BinaryFanout("realtime:t", b"\x01").encoded(Version.V1)
    assert frame is not None
    assert b'"payload":%{error: "unable to parse response"}' in frame.data
