"""Reads `GET /events` for tests."""

from typing import Any
from urllib.parse import quote

from tests.integration.gateway.conftest import Account, data


def read(account: Account, after: str | None = None, **query: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return one page's events and pagination."""
    words = [f"{name}={quote(str(value))}" for name, value in query.items()]
    words += [f"after={after}"] if after else []
    answer = account.get("/events?" + "&".join(words))
    assert answer.status_code == 200, answer.text
    return data(answer), answer.get_json()["pagination"]


def contents(events: list[dict[str, Any]]) -> list[str]:
    return [event["data"]["content"] for event in events if event["type"] == "message.new"]


def drain(account: Account, after: str | None, limit: int) -> tuple[list[dict[str, Any]], str]:
    found: list[dict[str, Any]] = []
    while True:
        events, pagination = read(account, after, limit=limit)
        assert len(events) <= limit
        found += events
        after = pagination["nextCursor"]
        assert isinstance(after, str)
        if not pagination["hasMore"]:
            return found, after
