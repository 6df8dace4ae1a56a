"""Search finds the same, whichever of its two ways it goes."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
from psycopg.rows import DictRow

from gateway.domain.messages import SearchFilter
from gateway.store import search
from tests.integration.gateway.conftest import Account, data

CHUNK = 1 << 17  # ids that the index keeps together (crossfade.search_chunk)


def found(account: Account, **query: Any) -> list[str]:
    """The contents on all pages, in order."""
    contents: list[str] = []
    cursor: str | None = None
    while True:
        step = query | ({"cursor": cursor} if cursor else {})
        answer = account.get(f"/messages/search?{urlencode(step)}")
        contents += [message["content"] for message in data(answer)]
        cursor = answer.get_json()["pagination"]["nextCursor"]
        if cursor is None:
            return contents


@pytest.mark.parametrize("walk", [1, 7, 1_000])
def test_words_are_found_near_and_far(
    account: Account,
    new_account: Callable[..., Account],
    conn: psycopg.Connection[DictRow],
    monkeypatch: pytest.MonkeyPatch,
    walk: int,
) -> None:
    """Newest first, each once, over pages, whether the walk reaches them or the index has to; nobody else's.

    And however far apart they were written: the index is asked chunk by chunk, with and without messages between.
    """
    monkeypatch.setattr(search, "WALK", walk)
    stranger = new_account()
    foreign = stranger.make_conversation()
    first, second = account.make_conversation(), account.make_conversation()
    for number in range(12):
        if number in (2, 5, 6):
            conn.execute(f"alter table chat_messages alter column id restart {number * CHUNK - 1}")
        account.send(first if number % 2 else second, f"word {'rare' if number in (1, 4, 11) else 'plain'} {number}")
        stranger.send(foreign, "word rare foreign")
    assert found(account, q="word", limit=5) == [
        f"word {'rare' if number in (1, 4, 11) else 'plain'} {number}" for number in reversed(range(12))
    ]
    assert found(account, q="rar", limit=1) == ["word rare 11", "word rare 4", "word rare 1"]
    assert found(account, q="rare", conversationId=first) == ["word rare 11", "word rare 1"]
    assert found(account, q="rare w", limit=2) == ["word rare 11", "word rare 4", "word rare 1"]
    assert found(account, q="nobody wrote this") == []


def test_chunks_whose_places_share_a_name_are_kept_apart(
    account: Account, conn: psycopg.Connection[DictRow], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each message is found once and none is passed over, also where the index cannot tell one chunk from another."""
    monkeypatch.setattr(search, "WALK", 1)
    conversation = account.make_conversation()
    for number in range(8):
        if number % 2 == 0:
            conn.execute(f"alter table chat_messages alter column id restart {(number + 1) * CHUNK}")
        account.send(conversation, f"word {number}")
    with psycopg.connect(database_url) as connection, connection.transaction(force_rollback=True):
        connection.execute(
            "create or replace function crossfade.search_place(account_id uuid, chunk bigint) returns text"
            " language sql immutable parallel safe as $$ select '00000000' $$"
        )
        connection.execute("reindex index public.chat_messages_words")
        contents: list[str] = []
        after = None
        while after or not contents:
            page = search.search_messages(connection, account.id, SearchFilter(words="word"), limit=3, after=after)
            contents += [json.loads(item)["content"] for item in page.items]
            after = page.last if page.has_more else None
    assert contents == [f"word {number}" for number in reversed(range(8))]


@pytest.mark.parametrize("walk", [1, 1_000])
def test_what_is_no_plain_word_is_found_both_ways(account: Account, monkeypatch: pytest.MonkeyPatch, walk: int) -> None:
    """Compounds, addresses, quotes, letters beyond ASCII, and a word as long as words are indexed."""
    monkeypatch.setattr(search, "WALK", walk)
    conversation = account.make_conversation()
    contents = ["it's o'clock", "a well-known fact", "see https://example.com/a/b?c=d", "Ärger in Łódź", "y" * 2_040]
    for content in (*contents, "the newest, which the walk sees"):
        account.send(conversation, content)
    asked = ["o'clock", "well-known", "example.com/a", "ärger łó", "y" * 200]
    assert [found(account, q=words) for words in asked] == [[content] for content in contents]
    assert found(account, q="known-well") == []
    assert found(account, q="'") == []
