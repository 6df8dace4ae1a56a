"""Where many tests of a relay begin, and a browser for those of pages."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.browser import Browser, browser
from tests.factories import make_conversation, make_user


@pytest.fixture
def conversation(conn: psycopg.Connection[DictRow]) -> int:
    """A conversation of an account with one more member."""
    return make_conversation(conn, make_user(conn), make_user(conn))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as page:
        yield page
