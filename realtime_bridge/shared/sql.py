"""Named SQL beside the module that runs it: `messages.sql` for `messages.py`. Owns no connection and no transaction.

    _SQL = sql.Queries(__file__)
    _SQL.find_row(connection, "find_message", class_row(Message), message_id=7)

The gateway and the commands use `Queries`, the bridge `AsyncQueries`; both hold the statements' texts by name, too.
"""

import re
from pathlib import Path
from typing import Any, LiteralString, TypeVar, cast

from psycopg import AsyncConnection, AsyncCursor, Connection, Cursor
from psycopg.rows import AsyncRowFactory, RowFactory, scalar_row

Row = TypeVar("Row")
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


class Statements(dict[str, LiteralString]):
    """The texts of the `.sql` file beside `module_file`, for sections that start with `-- name: query`."""

    def __init__(self, module_file: str) -> None:
        text = Path(module_file).with_suffix(".sql").read_text(encoding="utf-8")
        parts = _NAME.split(text)[1:]
        # A file of the package is as much a literal as a string in it: psycopg's guard against built-up SQL stays on.
        texts = (cast(LiteralString, body.strip()) for body in parts[1::2])
        super().__init__(zip(parts[::2], texts, strict=True))


class Queries(Statements):
    """`get_` is for statements that return a row or raise: an insert, or a change of what is locked."""

    def find_row(
        self, connection: Connection[Any], name: str, rows: RowFactory[Row], /, **values: object
    ) -> Row | None:
        return self._execute(connection, name, rows, values).fetchone()

    def get_row(self, connection: Connection[Any], name: str, rows: RowFactory[Row], /, **values: object) -> Row:
        return _there(name, self._execute(connection, name, rows, values).fetchone())

    def list_rows(
        self, connection: Connection[Any], name: str, rows: RowFactory[Row], /, **values: object
    ) -> list[Row]:
        return self._execute(connection, name, rows, values).fetchall()

    def find_value(self, connection: Connection[Any], name: str, /, **values: object) -> Any | None:
        """Return the first row's first column; None where there is no row, or null."""
        return self._execute(connection, name, scalar_row, values).fetchone()

    def get_value(self, connection: Connection[Any], name: str, /, **values: object) -> Any:
        return _there(name, self.find_value(connection, name, **values))

    def list_values(self, connection: Connection[Any], name: str, /, **values: object) -> list[Any]:
        return self._execute(connection, name, scalar_row, values).fetchall()

    def run(self, connection: Connection[Any], name: str, /, **values: object) -> int:
        """Return how many rows there were."""
        return connection.execute(self[name], values or None).rowcount

    def _execute(
        self, connection: Connection[Any], name: str, rows: RowFactory[Row], values: dict[str, object]
    ) -> Cursor[Row]:
        return connection.cursor(row_factory=rows).execute(self[name], values or None)


class AsyncQueries(Statements):
    """`Queries` for the bridge's connections."""

    async def find_row(
        self, connection: AsyncConnection[Any], name: str, rows: AsyncRowFactory[Row], /, **values: object
    ) -> Row | None:
        return await (await self._execute(connection, name, rows, values)).fetchone()

    async def list_rows(
        self, connection: AsyncConnection[Any], name: str, rows: AsyncRowFactory[Row], /, **values: object
    ) -> list[Row]:
        return await (await self._execute(connection, name, rows, values)).fetchall()

    async def find_value(self, connection: AsyncConnection[Any], name: str, /, **values: object) -> Any | None:
        """Return the first row's first column; None where there is no row, or null."""
        return await (await self._execute(connection, name, scalar_row, values)).fetchone()

    async def get_value(self, connection: AsyncConnection[Any], name: str, /, **values: object) -> Any:
        return _there(name, await self.find_value(connection, name, **values))

    async def list_values(self, connection: AsyncConnection[Any], name: str, /, **values: object) -> list[Any]:
        return await (await self._execute(connection, name, scalar_row, values)).fetchall()

    async def run(self, connection: AsyncConnection[Any], name: str, /, **values: object) -> int:
        """Return how many rows there were."""
        return (await connection.execute(self[name], values or None)).rowcount

    async def _execute(
        self, connection: AsyncConnection[Any], name: str, rows: AsyncRowFactory[Row], values: dict[str, object]
    ) -> AsyncCursor[Row]:
        return await connection.cursor(row_factory=rows).execute(self[name], values or None)


def _there(name: str, row: Row | None) -> Row:
    if row is None:
        raise AssertionError(f"{name} returned no row")
    return row
