"""Understanding WUZAPI's documents: never an error, whatever they hold."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from gateway.wuzapi.arrivals import Ignored, Inbound, Receipt, Typing
from gateway.wuzapi.events import PART_BYTES, split, understand
from gateway.wuzapi.signature import is_signed
from tests.servers.wuzapi_server import HMAC_KEY, chat_presence, message, receipt, sign

NAMES = ["type", "event", "state", "Info", "Message", "Chat", "Sender", "ID", "IsFromMe", "SenderAlt", "PushName"]
NAMES += ["conversation", "extendedTextMessage", "imageMessage", "text", "caption", "contextInfo", "stanzaID"]
NAMES += ["MessageIDs", "State", "s3", "url"]
WORDS = ["Message", "ReadReceipt", "ChatPresence", "Read", "composing", "1@s.whatsapp.net", "2@lid", "3@g.us", "A", ""]
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.sampled_from(WORDS))
DOCUMENTS = st.dictionaries(
    st.sampled_from(NAMES),
    st.recursive(
        LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner))
    ),
)


@limits(max_examples=80, deadline=None)
@given(document=DOCUMENTS, kind=st.sampled_from(WORDS))
def test_no_document_is_an_error(document: dict[str, Any], kind: str) -> None:
    """What cannot be used is ignored; an exception would be answered 500 and repeated."""
    assert isinstance(understand(document | {"type": kind}), Inbound | Receipt | Typing | Ignored)


@limits(max_examples=50, deadline=None)
@given(pattern=st.text(min_size=1, max_size=20), times=st.integers(1, 600))
def test_parts_are_small_whole_and_complete(pattern: str, times: int) -> None:
    """Every part fits, no character is cut, and together they are the text."""
    parts = split(pattern * times)
    assert "".join(parts) == pattern * times
    assert all(len(part.encode()) <= PART_BYTES for part in parts)


@pytest.mark.parametrize(
    ("jid", "shown"),
    [
        ("5491155553934:12@s.whatsapp.net", "5491155553934@s.whatsapp.net"),
        ("5491155553934.1:12@s.whatsapp.net", "5491155553934@s.whatsapp.net"),
        ("77:3@lid", "77@lid"),
        ("1203-456@g.us", "1203-456@g.us"),
    ],
)
def test_devices_are_not_part_of_an_address(jid: str, shown: str) -> None:
    """A person writes from several devices and is one contact."""
    understood = understand(message("A", Chat=jid))
    assert isinstance(understood, Inbound)
    assert understood.jids == (shown,)


def test_a_number_is_preferred_to_a_lid() -> None:
    """Both addresses are kept, the number first, whichever of them the chat goes by."""
    for chat, other in (("77@lid", "54@s.whatsapp.net"), ("54@s.whatsapp.net", "77@lid")):
        understood = understand(message("A", Chat=chat, Sender=chat, SenderAlt=other))
        assert isinstance(understood, Inbound)
        assert understood.jids == ("54@s.whatsapp.net", "77@lid")
        own = understand(message("A", Chat=chat, Sender="1@lid", IsFromMe=True, RecipientAlt=other))
        assert isinstance(own, Inbound)
        assert own.jids == ("54@s.whatsapp.net", "77@lid")


def test_each_kind_is_understood() -> None:
    """One of each, in the recorded shapes."""
    assert isinstance(understand(message("A")), Inbound)
    assert isinstance(understand(receipt("Read", "A", "B")), Receipt)
    assert isinstance(understand(chat_presence("paused")), Typing)
    assert understand(receipt("Read")) == Ignored(why="no_message_ids")


def test_a_known_signature() -> None:
    """RFC 4231's second case, and ours both ways."""
    known = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert is_signed(b"what do ya want for nothing?", known, b"Jefe")
    assert not is_signed(b"what do ya want for nothing!", known, b"Jefe")
    assert is_signed(b"{}", sign(b"{}"), HMAC_KEY.encode())
    assert not is_signed(b"{}", "\udcff", HMAC_KEY.encode())
