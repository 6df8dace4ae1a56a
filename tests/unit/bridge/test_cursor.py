"""The cursor against a model of Postgres: sequences that run ahead of commits, roll-backs, and pages that are cut."""

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_bridge.event_log.cursor import Cursor, Hole, Snapshot


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


def test_what_was_left_for_later_stays_a_hole_that_nothing_closes() -> None:
    """Ids 2 and 3 were seen, and 4 of another account had its turn: no end of a transaction closes their hole."""
    cursor = Cursor(high_water=1).advance([4], Snapshot(xmin=10, bound=12), up_to=1)
    again = cursor.advance([5], Snapshot(xmin=90, bound=95), up_to=1)
    assert again == Cursor(high_water=5, holes=(Hole(first=2, last=3, xmax=12),))
    assert again.advance([2, 3], Snapshot(xmin=90, bound=95), up_to=None) == Cursor(high_water=5)


def test_a_jump_of_the_sequence_is_one_hole() -> None:
    """A billion skipped ids cost one entry, not a billion."""
    cursor = Cursor(high_water=1).advance([1_000_000_001], Snapshot(xmin=7, bound=7), up_to=None)
    assert len(cursor.holes) == 1
    assert cursor.hole_count == 999_999_999


@dataclass
class Database:
    """Just enough of Postgres: transaction ids, a sequence that ignores transactions, and visibility by commit.

    A transaction writes into one conversation, which it locks until it ends: its account is `conversation % 2`.
    """

    next_xid: int = 100
    next_id: int = 1
    running: dict[int, list[int]] = field(default_factory=dict)
    locked: dict[int, int] = field(default_factory=dict)
    visible: list[int] = field(default_factory=list)
    conversations: dict[int, int] = field(default_factory=dict)

    def begin(self) -> None:
        self.running[self.next_xid] = []
        self.next_xid += 1

    def append(self, index: int) -> None:
        if self.running:
            xid = self._pick(index)
            free = [one for one in range(4) if one not in self.locked.values()]
            conversation = self.locked.get(xid, free[index % len(free)] if free else None)
            if conversation is not None:
                self.locked[xid] = conversation
                self.running[xid].append(self.next_id)
                self.conversations[self.next_id] = conversation
            self.next_id += 1

    def end(self, index: int, *, commit: bool) -> None:
        if self.running:
            xid = self._pick(index)
            self.locked.pop(xid, None)
            ids = self.running.pop(xid)
            if commit:
                self.visible += ids

    def snapshot(self) -> Snapshot:
        return Snapshot(xmin=min(self.running, default=self.next_xid), bound=self.next_xid)

    def _pick(self, index: int) -> int:
        return sorted(self.running)[index % len(self.running)]


def read(database: Database, cursor: Cursor, limit: int, look_ahead: int) -> tuple[list[int], list[int]]:
    """What log.sql's read_page returns: a page in the order of turns, and where more may be."""
    in_holes = [i for i in database.visible for hole in cursor.holes if hole.first <= i <= hole.last]
    found = sorted(in_holes + [i for i in database.visible if i > cursor.high_water])
    ahead = found[:look_ahead]
    turns = Counter[int]()
    ranked = []
    for i in ahead:
        account = database.conversations[i] % 2
        turns[account] += 1
        ranked.append((turns[account], i))
    page = [i for _, i in sorted(ranked)[:limit]]
    unlooked = [ahead[-1] + 1] if len(ahead) == look_ahead else []
    return page, [i for i in ahead if i not in page] + unlooked


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
@given(steps=steps, limit=st.integers(1, 6), look_ahead=st.integers(0, 20))
def test_everything_committed_is_delivered_once_and_in_order_under_any_schedule(
    steps: list[tuple[str, int]], limit: int, look_ahead: int
) -> None:
    """Whatever order transactions begin, append, commit and roll back in, and wherever delivery stops half way."""
    database, cursor, delivered = Database(), Cursor(high_water=0), list[int]()

    def relay(settle: int) -> bool:
        nonlocal cursor
        page, left = read(database, cursor, limit, max(limit, look_ahead))
        settled = page[: max(settle, 0)] if settle else page
        left = left + page[len(settled) :]
        cursor = cursor.advance(sorted(settled), database.snapshot(), up_to=min(left) - 1 if left else None)
        delivered.extend(settled)
        return not left

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
    for conversation in range(4):
        of_one = [i for i in delivered if database.conversations[i] == conversation]
        assert of_one == sorted(of_one)
