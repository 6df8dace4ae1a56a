"""Reasons why a command failed: one sentence that says what to do. Called by `ops.cli.main`."""

import re

import psycopg
from psycopg.errors import InvalidSchemaName, UndefinedColumn, UndefinedFunction, UndefinedTable

from realtime_bridge.shared.environment import ConfigurationError

DATABASE = "crossfade.database"  # where click's contexts keep which database is worked on
NO_SCHEMA = (UndefinedTable, UndefinedFunction, InvalidSchemaName, UndefinedColumn)
MIGRATE = "The schema of Crossfade is not there, or older: run `crossfade migrate` first."


def explain(error: Exception, database: tuple[str, str] | None) -> str:
    """Return one line, or one for each variable that is wrong.

    `database`: how the one that was worked on was named, and its URL; None for no database.
    """
    if isinstance(error, NO_SCHEMA):
        return MIGRATE
    if isinstance(error, ConfigurationError):
        return str(error)
    text = " ".join(str(error).split()) or type(error).__name__
    if database is None or not is_unusable(error):
        return text
    name, url = database
    return f"The database of {name} cannot be used: {_without_password(text, url)}"


def is_unusable(error: BaseException) -> bool:
    """Whether there is no connection: what the server itself says of a statement has a code."""
    return isinstance(error, psycopg.OperationalError | psycopg.ProgrammingError) and error.sqlstate is None


def _without_password(text: str, url: str) -> str:
    """Hide what a URL that is not well formed lets the library take for something else than the password."""
    found = re.match(r"\w+://([^:/@?#]*):(.*)@", url)
    if found is None:
        return text
    user, password = found.groups()
    for part in sorted({password, *re.split(r"[:/@?#]", password)} - {"", user}, key=len, reverse=True):
        text = text.replace(f'"{part}"', '"***"').replace(f"{part}@", "***@")
    return text
