"""`crossfade seed`: fill an account, to see how things run at size.

What it writes is history: rows with gapless numbers but without events, so no subscriber is told. Called by people and
by tests/bench; never needed to run Crossfade.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import click
import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ops.cli.answers import answers
from ops.cli.options import open_database, stack_dir
from ops.embedded.ready import NotReady, read_ready
from ops.errors import NoAccount
from ops.terminal.output import Answer
from realtime_bridge.shared import sql

BATCH_MESSAGES = 20_000  # about half a second a transaction: the bar moves, and Ctrl-C is heard
LONGEST_SHARE = 40  # one conversation holds this part of all messages: 50,000 of 2,000,000 is a thousand pages
MAX_CONVERSATIONS = 10_000_000
MAX_MESSAGES = 100_000_000
_SQL = sql.Queries(__file__)

Tell = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many of what; `longest` is the length of the one long conversation, the first."""

    account_id: UUID
    conversations: int
    messages: int
    days: int
    longest: int

    @classmethod
    def of(cls, account_id: UUID, conversations: int, messages: int, days: int) -> "Plan":
        longest = messages if conversations == 1 else max(messages // LONGEST_SHARE, messages // conversations)
        return cls(account_id=account_id, conversations=conversations, messages=messages, days=days, longest=longest)

    def length(self, number: int) -> int:
        """Return how many messages conversation `number` (from 0) has: the first is long, the rest share evenly."""
        if number == 0:
            return self.longest
        share, over = divmod(self.messages - self.longest, self.conversations - 1)
        return share + (1 if number <= over else 0)

    def batches(self) -> Iterator[list[tuple[int, int]]]:
        """Yield runs of (number, length) of about BATCH_MESSAGES messages."""
        batch: list[tuple[int, int]] = []
        weight = 0
        for number in range(self.conversations):
            length = self.length(number)
            if batch and weight + length > BATCH_MESSAGES:
                yield batch
                batch, weight = [], 0
            batch.append((number, length))
            weight += max(1, length)
        yield batch


@click.command(short_help="Fill an account with what a support desk would write.")
@click.option("--conversations", type=click.IntRange(1, MAX_CONVERSATIONS), default=2_000, show_default=True)
@click.option("--messages", type=click.IntRange(0, MAX_MESSAGES), default=20_000, show_default=True)
@click.option("--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="Spread over the last days.")
@click.option(
    "--account", "account_id", type=click.UUID, help="Whose.  [default: the demo account of the running stack]"
)
@answers
def seed(*, conversations: int, messages: int, days: int, account_id: UUID | None) -> Answer:
    """Fill an account with conversations and messages that look like a support desk's.

    One conversation is long (a fortieth of all messages), a quarter has unread messages, and the words follow Zipf's
    law, so that lists, filters and search behave as they would. The same numbers give the same texts. It adds; nothing
    is removed, and what was written before a Ctrl-C stays.
    """
    plan = Plan.of(account_id or _demo_account(), conversations, messages, days)
    started = time.monotonic()
    with open_database() as connection, _bar(messages) as bar:
        task = bar.add_task("messages", total=messages)
        write(connection, plan, lambda count: bar.advance(task, count))
        bar.update(task, description="statistics")
        refresh_statistics(connection)
    seconds = round(time.monotonic() - started, 1)
    sentence = f"{conversations:,} conversations with {messages:,} messages in {seconds} s, account {plan.account_id}."
    return Answer({**asdict(plan), "seconds": seconds}, sentence)


def write(connection: psycopg.Connection[Any], plan: Plan, tell: Tell = lambda _: None) -> None:
    """Write the plan's rows, a batch a transaction; tell how many messages each batch had. Needs autocommit."""
    if _SQL.run(connection, "find_account", account_id=plan.account_id) == 0:
        raise NoAccount(plan.account_id)
    _SQL.run(connection, "make_text")
    for batch in plan.batches():
        values = {
            "account_id": plan.account_id,
            "conversations": plan.conversations,
            "days": plan.days,
            "numbers": [number for number, _ in batch],
            "lengths": [length for _, length in batch],
        }
        _SQL.run(connection, "append_batch", **values)
        tell(sum(length for _, length in batch))


def refresh_statistics(connection: psycopg.Connection[Any]) -> None:
    """Let the planner know, as autovacuum would a little later. Needs autocommit."""
    _SQL.run(connection, "refresh_statistics")


def _demo_account() -> UUID:
    try:
        return UUID(read_ready(stack_dir()).users[0].id)
    except NotReady:
        raise NotReady("Name the --account to fill, or start the embedded stack with ./ops/up.") from None


def _bar(messages: int) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=messages == 0,
    )
