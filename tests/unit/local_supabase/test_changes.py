"""Reading of bindings and filters, and of PostgreSQL's own log format."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.local_supabase.changes import bindings, filters
from ops.local_supabase.changes.bindings import BindingError
from ops.local_supabase.changes.filters import Filter, FilterError, Operator
from ops.local_supabase.replication.pgoutput import UNCHANGED, Decoder, Operation


def test_a_filter_has_parts_that_must_all_pass() -> None:
    """Commas join conditions; those inside brackets belong to a list."""
    assert filters.parse("id=gt.1,label=not.in.(a,b),done=is.true") == (
        Filter("id", Operator.GT, "1", negated=False),
        Filter("label", Operator.IN, "{a,b}", negated=True),
        Filter("done", Operator.IS, "true", negated=False),
    )


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('a=eq."x,y",b=eq.z', ["x,y", "z"]),
        ('a=eq."say \\"hi\\", \\\\you"', ['say "hi", \\you']),
        ('a=eq."x"y', ['"x"y']),
        ('a=eq.x"y', ['x"y']),
        ('a=in.("x)",y)', ['{"x)",y}']),
        ("  a=eq. x , b=eq.y ", [" x", "y"]),
        ("   ", []),
    ],
)
def test_quotation_marks_keep_a_value_together(text: str, values: list[str]) -> None:
    """A value that is quoted as a whole may hold commas and brackets, and loses its marks."""
    assert [condition.value for condition in filters.parse(text)] == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id=1", 'Error parsing `filter` params: ["1"]'),
        ("id=foo.1", 'Error parsing `filter` params: ["foo", "1"]'),
        ("id", 'Error parsing `filter` params: ["id"]'),
        ("id=in.1,2", "Error parsing `filter` params: `in` filter value must be wrapped by parentheses"),
        ("id=eq.1,", "Error parsing `filter` params: filter must not contain empty segments (check for extra commas)"),
    ],
)
def test_an_unreadable_filter_says_what_was_wrong(text: str, message: str) -> None:
    """In the real server's words."""
    with pytest.raises(FilterError) as refused:
        filters.parse(text)
    assert str(refused.value) == message


@given(st.text())
def test_no_filter_crashes_the_parser(text: str) -> None:
    """Anything is either read or a FilterError."""
    try:
        filters.parse(text)
    except FilterError:
        return


def test_a_binding_without_event_or_table_means_all() -> None:
    """An unknown event counts as all events, a lower-case one as itself."""
    everything = bindings.read({"schema": "public"})
    assert (everything.event, everything.table) == ("*", "*")
    assert bindings.read({"table": "t", "event": "insert"}).event == "INSERT"
    assert bindings.read({"table": "t", "event": "FOO"}).event == "*"
    assert everything.wants(Operation.DELETE, "public", "anything")
    assert not everything.wants(Operation.DELETE, "private", "anything")


@pytest.mark.parametrize("entry", [{}, {"schema": None}, {"schema": 5}, {"schema": "public", "filter": 5}])
def test_a_binding_that_names_nothing_is_refused(entry: dict[str, object]) -> None:
    """With the entry, printed the way Elixir prints it."""
    with pytest.raises(BindingError, match="No subscription params provided"):
        bindings.read(entry)


def test_the_log_is_decoded_into_changes() -> None:
    """Begin, relation, insert, update with old row and an unchanged value, delete."""
    decoder = Decoder()
    micros = 1_000_000
    assert decoder.decode(b"B" + struct.pack("!QqI", 1, micros, 7)) is None
    columns = b"\x01id\0" + struct.pack("!Ii", 23, -1) + b"\x00label\0" + struct.pack("!Ii", 25, -1)
    assert decoder.decode(b"R" + struct.pack("!I", 99) + b"public\0items\0d" + struct.pack("!H", 2) + columns) is None
    inserted = decoder.decode(b"I" + struct.pack("!I", 99) + b"N" + row("1", "é"))
    assert inserted is not None
    assert (inserted.relation.table, inserted.operation, inserted.new) == ("items", Operation.INSERT, ("1", "é"))
    assert inserted.committed_at.isoformat() == "2000-01-01T00:00:01+00:00"
    updated = decoder.decode(b"U" + struct.pack("!I", 99) + b"O" + row("1", "é") + b"N" + row("2", ...))
    assert updated is not None
    assert (updated.old, updated.new) == (("1", "é"), ("2", UNCHANGED))
    deleted = decoder.decode(b"D" + struct.pack("!I", 99) + b"K" + row("2", None))
    assert deleted is not None
    assert (deleted.operation, deleted.old, deleted.new) == (Operation.DELETE, ("2", None), None)


def row(*values: object) -> bytes:
    """Encode a tuple: text, None for null, ... for an unchanged value."""
    data = struct.pack("!H", len(values))
    for value in values:
        if value is None or value is ...:
            data += b"n" if value is None else b"u"
        else:
            text = str(value).encode()
            data += b"t" + struct.pack("!I", len(text)) + text
    return data
