"""The cursor against a model of Postgres: sequences that run ahead of commits, roll-backs, and pages that are cut."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_bridge.cursor import Cursor, Hole, Snapshot


def test_a_lower_id_that_commits_later_stays_a_hole_until_it_appears() -> None:
    """Id 2 is missing while its transaction runs; it is waited for, delivered, and then forgotten."""
    cursor = Cursor(high_water=1).advance([3], Snapshot(xmin=10, bound=12), up_to=None)
    assert cursor == Cursor(high_water=3, holes=(Hole(first=2, last=2, xmax=12),))
    assert cursor.advance([], Snapshot(xmin=11, bound=13), up_to=None) == cursor
    assert cursor.advance([2], Snapshot(xmin=11, bound=14), up_to=None) == Cursor(high_water=3)


def test_a_rolled_back_id_is_forgotten_once_its_transaction_has_ended() -> None:
    """A hole closes when every transaction that could have taken the id has ended without showing the row."""
    cursor = Cursor(high_water=0).advance([2], Snapshot(xmin=10, bound=12), up_to=None)
    assert cursor.advance([], Snapshot(xmin=12, bound=12), up_to=None).holes == ()


def test_a_cut_page_concludes_nothing_about_what_it_did_not_read() -> None:
    """Beyond the last id of a full page a hole stays open, however old its transaction is."""
    cursor = Cursor(high_water=9, holes=(Hole(first=2, last=8, xmax=5),))
    cut = cursor.advance([3, 4], Snapshot(xmin=50, bound=50), up_to=4)
    assert cut == Cursor(high_water=9, holes=(Hole(first=5, last=8, xmax=5),))


def test_a_jump_of_the_sequence_is_one_hole() -> None:
    """A billion skipped ids cost one entry, not a billion."""
    cursor = Cursor(high_water=1).advance([1_000_000_001], Snapshot(xmin=7, bound=7), up_to=None)
    assert len(cursor.holes) == 1
    assert cursor.hole_count == 999_999_999


@dataclass
class Database:
    """Just enough of Postgres: transaction ids, a sequence that ignores transactions, and visibility by commit."""

    next_xid: int = 100
    next_id: int = 1
    running: dict[int, list[int]] = field(default_factory=dict)
    visible: list[int] = field(default_factory=list)

    def begin(self) -> None:
        self.running[self.next_xid] = []
        self.next_xid += 1

    def append(self, index: int) -> None:
        if self.running:
            self.running[self._pick(index)].append(self.next_id)
            self.next_id += 1

    def end(self, index: int, *, commit: bool) -> None:
        if self.running:
            ids = self.running.pop(self._pick(index))
            if commit:
                self.visible += ids

    def snapshot(self) -> Snapshot:
        return Snapshot(xmin=min(self.running, default=self.next_xid), bound=self.next_xid)

    def _pick(self, index: int) -> int:
        return sorted(self.running)[index % len(self.running)]


def read(database: Database, cursor: Cursor, limit: int) -> list[int]:
    """What log.sql's read_page returns."""
    in_holes = [i for i in database.visible for hole in cursor.holes if hole.first <= i <= hole.last]
    return sorted(in_holes + [i for i in database.visible if i > cursor.high_water])[:limit]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.just(0)),
        st.tuples(st.just("append"), st.integers(0, 7)),
        st.tuples(st.just("commit"), st.integers(0, 7)),
        st.tuples(st.just("rollback"), st.integers(0, 7)),
        st.tuples(st.just("relay"), st.integers(0, 3)),
    ),
    max_size=120,
)


@settings(max_examples=500, deadline=None)
@given(steps=steps, limit=st.integers(1, 6))
def test_everything_committed_is_delivered_once_under_any_schedule(steps: list[tuple[str, int]], limit: int) -> None:
    """Whatever order transactions begin, append, commit and roll back in, and wherever delivery stops half way."""
    database, cursor, delivered = Database(), Cursor(high_water=0), list[int]()

    def relay(settle: int) -> bool:
        nonlocal cursor
        page = read(database, cursor, limit)
        settled = page[: max(settle, 0)] if settle else page
        complete = len(settled) == len(page) and len(page) < limit
        if settled or complete:
            cursor = cursor.advance(settled, database.snapshot(), up_to=None if complete else settled[-1])
        delivered.extend(settled)
        return complete

    for action, index in steps:
        match action:
            case "begin":
                database.begin()
            case "append":
                database.append(index)
            case "relay":
                relay(index)
            case _:
                database.end(index, commit=action == "commit")
    while database.running:
        database.end(0, commit=True)
    while not relay(0):
        pass
    relay(0)
    assert sorted(delivered) == sorted(database.visible)
    assert len(set(delivered)) == len(delivered)
    assert cursor.holes == ()
