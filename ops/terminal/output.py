"""Output of commands: tables and sentences for people, JSON for programs. In camelCase.

An `Answer` is the only place where what a command has found turns into text. A command returns rows or a document as it
has them (dataclasses, rows of a query, UUIDs, times) and never writes JSON itself.
"""

import dataclasses
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import click
from rich import box
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

SNAKE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")
Cell = str | Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class Style:
    """How a table is drawn, and how many characters that takes beside and between its columns."""

    edges: int
    between: int
    arguments: dict[str, Any]


WIDE = Style(1, 3, {})
NARROW = Style(-1, 2, {"box": box.SIMPLE_HEAD, "show_edge": False, "padding": (0, 1, 0, 0)})


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, with its unit, and where its cells come from: a field of the row, or a function of the row."""

    heading: str
    cell: Cell
    right: bool = False
    """For numbers."""

    def text(self, row: Any) -> str:
        value = self.cell(row) if callable(self.cell) else _field(row, self.cell)
        return "" if value is None else moment(value) if isinstance(value, datetime) else str(value)


@dataclass(frozen=True, slots=True)
class Rows:
    """A table. Nothing is ever cut: where the terminal is too narrow for ids in one piece, a row is a paragraph."""

    rows: Sequence[Any]
    columns: Sequence[Column]
    empty: str | None = None
    """Said in place of a table without rows."""

    def tell(self, console: Console) -> None:
        if not self.rows and self.empty:
            click.echo(self.empty)
        else:
            console.print(tabulated(self.rows, self.columns, console))


class Answer:
    """What a command has found: a document for programs; for people its parts, which are lines and tables."""

    def __init__(self, document: object, *parts: str | Rows) -> None:
        self.document = document
        self.parts = parts

    def tell(self, *, as_json: bool) -> None:
        if as_json:
            click.echo(encode(self.document))
            return
        for part in self.parts:
            if isinstance(part, Rows):
                part.tell(Console(highlight=False))
            else:
                click.echo(part)


def table(rows: Sequence[Any], columns: Sequence[Column], empty: str | None = None) -> Answer:
    """Return rows as the whole answer."""
    return Answer(rows, Rows(rows, columns, empty))


def picked(value: object, *names: str) -> dict[str, object]:
    """Return a document of these fields."""
    return {name: getattr(value, name) for name in names}


def encode(document: object) -> str:
    """Return JSON on one line, with every field in camelCase."""
    return json.dumps(plain(document), ensure_ascii=False)


def plain(value: object) -> object:
    """Return `value` as JSON has it: fields in camelCase, times in UTC, words and ids as text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {camel(one.name): plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {camel(str(name)): plain(one) for name, one in value.items()}
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def camel(name: str) -> str:
    """Return `last_error_at` as lastErrorAt; what is no such name (a type, an id) stays."""
    if not SNAKE.fullmatch(name):
        return name
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(at: datetime) -> str:
    """Return a time as people read it."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def count(number: int, one: str, many: str) -> str:
    """Return `1 delivery` or `2 deliveries`."""
    return f"{number} {one if number == 1 else many}"


def tabulated(
    rows: Sequence[Any], columns: Sequence[Column], console: Console, *, title: str | None = None
) -> RenderableType:
    """Return the table, a narrower one, or a paragraph for each row: the first that fits the console."""
    texts = [[column.text(row) for column in columns] for row in rows]
    contents = [[column.heading, *(line[n] for line in texts)] for n, column in enumerate(columns)]
    for style in (WIDE, NARROW):
        widths = _widths(contents, console.width - style.edges - style.between * len(columns))
        if widths is not None:
            return _table(columns, texts, widths, style, title)
    return Group(*([Text(title)] if title else []), *(_paragraph(row, columns) for row in rows))


def _widths(contents: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """Return a width for each column in which no word is broken; None where there is none."""
    least = [max(len(word) for text in column for word in text.split() or [""]) for column in contents]
    most = [max(len(text) for text in column) for column in contents]
    if sum(least) > room:
        return None
    wanted, spare = sum(most) - sum(least), room - sum(least)
    share = min(1.0, spare / wanted) if wanted else 0.0
    return [low + int((high - low) * share) for low, high in zip(least, most, strict=True)]


def _table(
    columns: Sequence[Column], texts: Sequence[Sequence[str]], widths: Sequence[int], style: "Style", title: str | None
) -> Table:
    table = Table(title=title, **style.arguments)
    for column, width in zip(columns, widths, strict=True):
        justify: JustifyMethod = "right" if column.right else "left"
        table.add_column(column.heading, width=width, overflow="fold", justify=justify)
    for line in texts:
        table.add_row(*(Text(text) for text in line))
    return table


def _paragraph(row: Any, columns: Sequence[Column]) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for column in columns:
        grid.add_row(column.heading, Text(column.text(row)))
    return Group(grid, Text())


def _field(row: Any, name: str) -> object:
    return row[name] if isinstance(row, Mapping) else getattr(row, name)
