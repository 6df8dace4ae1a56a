"""Whoever writes little that becomes much: numbers that jsonb writes out in full, and pages of the largest rows."""

import json
from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow

from gateway.v1.schemas.fields import MAX_METADATA_BYTES
from tests.integration.gateway.conftest import Account, data, problem

HUGE = {"n": [1e308] * 13}  # 80 bytes in the request, 4,046 in every answer
TOO_HUGE = {"n": [1e308] * 14}
PAGE_BYTES = 1_048_576


@pytest.mark.parametrize("metadata", [TOO_HUGE, {"deep": {"er": [1e-300] * 14}}])
def test_numbers_are_measured_written_out(account: Account, metadata: dict[str, Any]) -> None:
    """Sent, edited or imported: what would take more than 4 KB in the database is refused at its pointer."""
    path = f"/conversations/{account.make_conversation()}/messages"
    sent = account.send(int(path.split("/")[2]), "x", metadata=HUGE)
    assert len(json.dumps(metadata)) < 150
    for answer in (
        account.post(path, {"content": "x", "metadata": metadata}),
        account.patch(f"{path}/{sent['id']}", {"content": "x", "metadata": metadata}, headers={"If-Match": "*"}),
    ):
        (error,) = problem(answer, 422, "validation_failed")["errors"]
        assert (error["pointer"], error["code"]) == ("/metadata", "too_long")
        assert str(MAX_METADATA_BYTES) in error["detail"]
    item = {"content": "x", "direction": "incoming", "createdAt": "2020-01-01T00:00:00Z", "metadata": metadata}
    (result,) = data(account.post(f"{path}:import", {"messages": [item]}))["results"]
    assert (result["code"], result["pointer"]) == ("too_long", "/metadata")


def test_the_database_has_the_last_word(account: Account, conn: psycopg.Connection[DictRow]) -> None:
    """4,096 bytes as they are stored are taken, one more is not; whoever writes with the domain's cast is refused."""
    conversation = account.make_conversation()
    row = conn.execute("select octet_length(%s::jsonb::text) as size", (json.dumps(HUGE | {"x": ""}),)).fetchone()
    assert row is not None
    fits, too_large = ({**HUGE, "x": "x" * (4_096 + extra - row["size"])} for extra in (0, 1))
    sent = account.send(conversation, metadata=fits)
    path = f"/conversations/{conversation}/messages"
    problem(account.post(path, {"content": "x", "metadata": too_large}), 422, "validation_failed")
    with pytest.raises(psycopg.errors.CheckViolation):
        conn.execute("select %s::crossfade.metadata", (json.dumps(too_large),))
    # What a messenger says of a failure comes on top, and stays when others change the words.
    conn.execute(
        "select crossfade.append_provider_status(%s, 'failed', null, %s, 'wuzapi')", (sent["id"], "no such number")
    )
    edited = account.patch(f"{path}/{sent['id']}", {"content": "y"}, headers={"If-Match": "*"})
    assert data(edited)["metadata"] == sent["metadata"] | {"deliveryError": "no such number"}


@pytest.fixture
def large(account: Account, conn: psycopg.Connection[DictRow]) -> int:
    """A conversation with 300 messages of the largest kind, each once more in the log: some 7 MB."""
    conversation = account.make_conversation()
    account.send(conversation, "\x01" * 4_096, metadata=HUGE)
    conn.execute(
        """
        with message as (
            insert into chat_messages (account_id, conversation_id, seq, event_id, direction, content, status, metadata)
            select m.account_id, m.conversation_id, n, gen_random_uuid(), m.direction, m.content, m.status, m.metadata
            from chat_messages m, generate_series(2, 300) n where m.conversation_id = %(id)s returning *
        ), event as (
            insert into chat_events (event_id, account_id, conversation_id, seq, type, payload)
            select event_id, account_id, conversation_id, seq, 'message.new',
                crossfade.message_payload(message::chat_messages, event_id, seq)
            from message order by seq
        )
        update conversations set last_seq = 300 where id = %(id)s
        """,
        {"id": conversation},
    )
    return conversation


def test_a_page_of_events_has_an_end(account: Account, large: int) -> None:
    """However large the events, a page stays within a megabyte, says that there is more, and skips nothing."""
    seqs, cursor, pages = [], None, 0
    while True:
        answer = account.get("/events?limit=500" + (f"&after={cursor}" if cursor else ""))
        page = answer.get_json()
        assert len(answer.data) < PAGE_BYTES + 65_536
        seqs += [event["conversationSeq"] for event in page["data"]]
        cursor, pages = page["pagination"]["nextCursor"], pages + 1
        if not page["pagination"]["hasMore"]:
            break
        assert page["data"]
    assert seqs == list(range(301))
    assert pages > 5


@pytest.mark.parametrize("first", ["?limit=100", "?limit=100&after_seq=0"])
def test_a_page_of_messages_has_an_end(account: Account, large: int, first: str) -> None:
    """In both directions: what does not fit is on the next page."""
    path, seqs = f"/conversations/{large}/messages", []
    url, word = path + first, "after_seq" if "after" in first else "before_seq"
    while True:
        answer = account.get(url)
        page = answer.get_json()
        assert len(answer.data) < PAGE_BYTES + 65_536
        seqs += [message["seq"] for message in page["data"]]
        if not page["pagination"]["hasMore"]:
            break
        url = f"{path}?limit=100&{word}={page['pagination']['nextCursor']}"
    assert sorted(seqs) == list(range(1, 301))


def test_a_page_of_found_messages_has_an_end(account: Account, large: int, conn: psycopg.Connection[DictRow]) -> None:
    """A search shows each message twice, with its marks, and ends its page as well."""
    conn.execute("update chat_messages set content = 'word ' || repeat(chr(1), 4000)")
    found, cursor = 0, ""
    while True:
        answer = account.get(f"/messages/search?q=word&limit=100{cursor}")
        page = answer.get_json()
        assert len(answer.data) < PAGE_BYTES + 131_072
        found += len(page["data"])
        if not page["pagination"]["hasMore"]:
            break
        cursor = f"&cursor={page['pagination']['nextCursor']}"
    assert found == 300


def test_what_was_said_before_has_an_end(account: Account) -> None:
    """A message that was edited over and over shows its versions page by page, oldest first."""
    conversation = account.make_conversation()
    path = f"/conversations/{conversation}/messages/{account.send(conversation, '0')['id']}"
    for number in range(1, 6):
        assert account.patch(path, {"content": f"{number}"}, headers={"If-Match": "*"}).status_code == 200
    said, url = [], f"{path}/versions?limit=2"
    while url:
        answer = account.get(url)
        page = answer.get_json()
        assert len(page["data"]) <= 2
        said += [version["content"] for version in page["data"]]
        url = answer.headers.get("Link", "").partition(">")[0].removeprefix("<")
    assert said == ["0", "1", "2", "3", "4"]
    assert account.get(f"{path}/versions").get_json()["pagination"]["hasMore"] is False
