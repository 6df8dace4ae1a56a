"""Messages after they were sent: edited, deleted, looked for; and messages that come from elsewhere."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.integration.gateway.conftest import Account, data, problem
from tests.integration.gateway.test_races import at_once

ANY = {"If-Match": "*"}


@pytest.fixture
def conversation(account: Account) -> int:
    return account.make_conversation()


def _path(message: dict[str, Any]) -> str:
    return f"/conversations/{message['conversationId']}/messages/{message['id']}"


def _types(conn: psycopg.Connection[DictRow]) -> list[str]:
    return [row["type"] for row in conn.execute("select type from chat_events order by id")]


def test_an_edit_keeps_what_was_said(account: Account, conversation: int, conn: psycopg.Connection[DictRow]) -> None:
    """With the ETag of what was seen; the answer is marked as edited, and the old words are kept."""
    sent = account.send(conversation, "first", metadata={"a": 1})
    seen = account.get(_path(sent))
    assert data(seen) == sent
    edited = account.patch(_path(sent), {"content": "second"}, headers={"If-Match": seen.headers["ETag"]})
    shown = data(edited)
    assert (shown["content"], shown["version"], shown["metadata"]) == ("second", 2, {"a": 1})
    assert shown["editedAt"] is not None
    assert (shown["seq"], shown["eventId"]) == (sent["seq"], sent["eventId"])
    assert edited.headers["ETag"] != seen.headers["ETag"]
    (kept,) = data(account.get(f"{_path(sent)}/versions"))
    assert (kept["version"], kept["content"], kept["replacedBy"]) == (1, "first", "edit")
    assert data(account.get(f"/conversations/{conversation}"))["lastMessagePreview"] == "second"
    assert _types(conn)[-2:] == ["message.updated", "conversation.updated"]


def test_an_edit_must_know_what_it_edits(account: Account, conversation: int) -> None:
    """428 without If-Match, 412 with an old ETag, and a status change makes an ETag old."""
    sent = account.send(conversation)
    etag = account.get(_path(sent)).headers["ETag"]
    problem(account.patch(_path(sent), {"content": "x"}), 428, "precondition_required")
    account.patch(f"{_path(sent)}/status", {"status": "sent"})
    late = account.patch(_path(sent), {"content": "x"}, headers={"If-Match": etag})
    problem(late, 412, "precondition_failed")
    again = account.patch(_path(sent), {"content": "x"}, headers={"If-Match": late.headers["ETag"]})
    assert again.status_code == 200
    for other in ('""', "W/" + again.headers["ETag"], '"a" ,\t"b"'):
        late = account.patch(_path(sent), {"content": "y"}, headers={"If-Match": other})
        problem(late, 412, "precondition_failed")
    for nonsense in (again.headers["ETag"].strip('"'), "", "* ", again.headers["ETag"] + "x", f"*, {etag}"):
        refused = account.patch(_path(sent), {"content": "y"}, headers={"If-Match": nonsense})
        (fault,) = problem(refused, 422, "validation_failed")["errors"]
        assert (fault["parameter"], fault["code"]) == ("If-Match", "wrong_form"), nonsense


def test_one_of_many_editors_wins(account: Account, conversation: int) -> None:
    """Ten with the same ETag at once: one edit, nine refusals."""
    sent = account.send(conversation)
    etag = account.get(_path(sent)).headers["ETag"]

    def edit(index: int) -> int:
        return account.patch(_path(sent), {"content": f"by {index}"}, headers={"If-Match": etag}).status_code

    assert sorted(at_once(10, edit)) == [200] + [412] * 9


def test_the_same_words_are_no_edit(account: Account, conversation: int) -> None:
    """200, no version, no event."""
    sent = account.send(conversation, "same")
    assert data(account.patch(_path(sent), {"content": "same"}, headers=ANY)) == sent
    assert data(account.get(f"{_path(sent)}/versions")) == []


def test_a_deleted_message_leaves_its_place(
    account: Account, conversation: int, conn: psycopg.Connection[DictRow]
) -> None:
    """Its words are gone from answers and search, its seq stays, unread and preview follow; again changes nothing."""
    account.send(conversation, "before")
    sent = account.send(conversation, "secret words", direction="incoming", metadata={"a": 1})
    shown = data(account.delete(_path(sent)))
    assert (shown["content"], shown["metadata"], shown["seq"]) == ("", {}, sent["seq"])
    assert shown["deletedAt"] is not None
    assert data(account.delete(_path(sent))) == shown
    listed = data(account.get(f"/conversations/{conversation}/messages"))
    assert listed[1] == shown
    kept = data(account.get(f"/conversations/{conversation}"))
    assert (kept["unreadCount"], kept["lastMessagePreview"]) == (0, "before")
    assert _types(conn)[-2:] == ["message.deleted", "conversation.updated"]
    assert data(account.get("/messages/search?q=secret")) == []
    problem(account.patch(_path(sent), {"content": "x"}, headers=ANY), 409, "message_deleted")
    assert data(account.get(f"{_path(sent)}/versions"))[0]["content"] == "secret words"


def test_a_message_of_another_conversation_is_not_found(
    account: Account, conversation: int, new_account: Callable[..., Account]
) -> None:
    """Neither by another conversation's path nor with another account's key."""
    sent = account.send(conversation)
    wrong = sent | {"conversationId": account.make_conversation()}
    for caller, message in ((account, wrong), (new_account(), sent)):
        problem(caller.get(_path(message)), 404, "not_found")
        problem(caller.get(f"{_path(message)}/versions"), 404, "not_found")
        problem(caller.patch(_path(message), {"content": "x"}, headers=ANY), 404, "not_found")
        problem(caller.delete(_path(message)), 404, "not_found")


def test_search_finds_words_and_beginnings(account: Account, new_account: Callable[..., Account]) -> None:
    """All words, the last one also as a beginning, in any case and script; newest first; only one's own."""
    conversation, other = account.make_conversation(), account.make_conversation()
    first = account.send(conversation, "The parcel has arrived, thanks Ömer")
    second = account.send(other, "Where is my PARCEL?")
    stranger = new_account()
    stranger.send(stranger.make_conversation(), "parcel of another account")

    def found(query: str) -> list[int]:
        return [message["id"] for message in data(account.get(f"/messages/search?q={query}"))]

    assert found("parcel") == [second["id"], first["id"]]
    assert found("parc") == [second["id"], first["id"]]
    assert found("parcel thanks") == [first["id"]]
    assert found("ömer") == [first["id"]]
    assert found("parc thanks") == []  # only the last word may be a beginning
    assert found(f"parcel&conversationId={other}") == [second["id"]]
    assert found("!!!") == []
    for odd in ("'", "\\", "a' | 'b", ":*", "&", "a:b*", "\0x", "!(", "<->"):
        assert account.get("/messages/search", query_string={"q": odd}).status_code in (200, 422)


def test_what_is_found_is_marked_and_safe(account: Account, conversation: int) -> None:
    """`highlight` is HTML in which only our marks are elements, whatever the content tries."""
    account.send(conversation, '<mark>x</mark> & <b>parcel <i>"parcel" \x02parcel\x03')
    (message,) = data(account.get("/messages/search?q=parcel"))
    assert message["highlight"] == (
        "&lt;mark&gt;x&lt;/mark&gt; &amp; &lt;b&gt;<mark>parcel</mark> &lt;i&gt;"
        "&quot;<mark>parcel</mark>&quot; <mark>parcel</mark>"
    )


def test_search_goes_on_from_page_to_page(account: Account, conversation: int) -> None:
    """Each message once; a cursor only goes with its words."""
    ids = [account.send(conversation, f"needle {number}")["id"] for number in range(5)][::-1]
    seen, cursor = [], ""
    while cursor is not None:
        answer = account.get(f"/messages/search?q=needle&limit=2{cursor and f'&cursor={cursor}'}").get_json()
        seen += [message["id"] for message in answer["data"]]
        cursor = answer["pagination"]["nextCursor"]
    assert seen == ids
    cursor = account.get("/messages/search?q=needle&limit=2").get_json()["pagination"]["nextCursor"]
    problem(account.get(f"/messages/search?q=hay&cursor={cursor}"), 422, "validation_failed")
    problem(account.get("/messages/search"), 422, "validation_failed")
    problem(account.get("/messages/search?q=%20"), 422, "validation_failed")


def _item(content: str, at: str, **fields: Any) -> dict[str, Any]:
    return {"content": content, "createdAt": at, "direction": "incoming"} | fields


def _import(account: Account, conversation: int, *items: dict[str, Any], announce: bool = False) -> dict[str, Any]:
    body = {"messages": list(items), "announce": announce}
    result: dict[str, Any] = data(account.post(f"/conversations/{conversation}/messages:import", body))
    return result


def test_history_goes_before_the_beginning(
    account: Account, conversation: int, conn: psycopg.Connection[DictRow]
) -> None:
    """Below zero, by time, with its own times; one event says that there is more; nothing is unread."""
    live = account.send(conversation, "live")
    result = _import(
        account, conversation, _item("second", "2020-01-02T00:00:00Z"), _item("first", "2020-01-01T00:00:00Z")
    )
    assert (result["imported"], result["duplicate"], result["invalid"]) == (2, 0, 0)
    listed = data(account.get(f"/conversations/{conversation}/messages"))
    assert [(m["seq"], m["content"]) for m in listed] == [(-2, "first"), (-1, "second"), (1, "live")]
    assert listed[0]["createdAt"] == "2020-01-01T00:00:00.000000Z"
    shown = data(account.get(f"/conversations/{conversation}"))
    assert (shown["firstSeq"], shown["lastSeq"], shown["unreadCount"]) == (-2, 2, 0)
    assert shown["lastMessageAt"] == live["createdAt"]
    assert _types(conn) == ["conversation.new", "message.new", "conversation.updated"]
    older = account.get(f"/conversations/{conversation}/messages?before_seq=-1").get_json()["data"]
    assert [m["seq"] for m in older] == [-2]
    assert _import(account, conversation, _item("zeroth", "2019-01-01T00:00:00Z"))["results"][0]["seq"] == -3


def test_announced_messages_are_like_sent_ones(
    account: Account, conversation: int, conn: psycopg.Connection[DictRow]
) -> None:
    """The next numbers and an event each, when they are asked for."""
    _import(
        account,
        conversation,
        _item("a", "2020-01-01T00:00:00Z", status="delivered"),
        _item("b", "2020-01-02T00:00:00Z"),
        announce=True,
    )
    assert _types(conn) == ["conversation.new", "message.new", "message.new"]
    shown = data(account.get(f"/conversations/{conversation}"))
    assert (shown["lastSeq"], shown["unreadCount"], shown["lastMessagePreview"]) == (2, 1, "b")
    assert shown["lastMessageAt"] == "2020-01-02T00:00:00.000000Z"


def test_each_item_has_its_own_result(account: Account, conversation: int) -> None:
    """A wrong one leaves the others alone; a second import of the same changes nothing."""
    at = "2020-01-01T00:00:00Z"
    items = [
        _item("ok", at, clientMessageId="c1"),
        {"content": "no time", "direction": "incoming"},
        _item("ahead", "2999-01-01T00:00:00Z"),
        _item("", at),
        _item("reply", at, replyToId=999),
        _item("twice", at, clientMessageId="c1"),
        _item("odd", at, seq=4),
    ]
    result = _import(account, conversation, *items)
    assert [(r["index"], r["status"], r.get("pointer"), r.get("code")) for r in result["results"]] == [
        (0, "imported", None, None),
        (1, "invalid", "/createdAt", "required"),
        (2, "invalid", "/createdAt", "out_of_range"),
        (3, "invalid", "/content", "blank"),
        (4, "invalid", "/replyToId", "unknown_message"),
        (5, "duplicate", None, None),
        (6, "invalid", "/seq", "unknown_field"),
    ]
    again = _import(account, conversation, items[0])["results"][0]
    assert (again["status"], again["id"]) == ("duplicate", result["results"][0]["id"])
    assert data(account.get(f"/conversations/{conversation}"))["lastSeq"] == 1


def test_five_hundred_at_once_and_not_one_more(account: Account, conversation: int) -> None:
    """Also when they are as large as messages may be; the request's other limit is still there."""
    items = [_item("x" * 4096, "2020-01-01T00:00:00Z", clientMessageId=f"c{n}") for n in range(500)]
    assert _import(account, conversation, *items)["imported"] == 500
    body = {"messages": [*items, items[0]]}
    problem(account.post(f"/conversations/{conversation}/messages:import", body), 422, "validation_failed")
    body = {"messages": [_item("x" * 5_000_000, "2020-01-01T00:00:00Z")]}
    problem(account.post(f"/conversations/{conversation}/messages:import", body), 413, "payload_too_large")
    problem(account.post(f"/conversations/{conversation}/messages:import", {"messages": []}), 422, "validation_failed")


def test_imports_at_once_do_not_share_numbers(account: Account, conversation: int) -> None:
    """Six importers: every message once, every number once."""

    def act(index: int) -> int:
        items = [_item(f"{index}-{n}", "2020-01-01T00:00:00Z", clientMessageId=f"{n}") for n in range(5)]
        return int(_import(account, conversation, *items, announce=bool(index % 2))["imported"])

    assert sum(at_once(6, act)) == 5
    assert len(data(account.get(f"/conversations/{conversation}/messages"))) == 5
