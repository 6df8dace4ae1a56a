"""Content is stored as sent; what is asked for as HTML is safe to show."""

import pytest

from tests.integration.gateway.conftest import Account, data
from tests.waiting import wait_for

HOSTILE = [
    "<script>alert(1)</script>hello",
    "<img src=x onerror=alert(1)>",
    '<a href="javascript:alert(1)">x</a>',
    '<svg><style><img src="</style><img src=x onerror=alert(1)>">',
    '<b onclick="alert(1)" style="position:fixed">bold</b>',
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
]


@pytest.mark.parametrize("content", HOSTILE)
def test_nothing_that_acts_is_left(account: Account, content: str) -> None:
    """No script, no handler, no picture, no style; the content itself is what was sent."""
    conversation = account.make_conversation()
    sent = account.send(conversation, content)
    assert sent["content"] == content
    assert "contentHtml" not in sent
    path = f"/conversations/{conversation}/messages"
    (listed,) = data(account.get(f"{path}?include=contentHtml"))
    shown = data(account.get(f"{path}/{sent['id']}?include=contentHtml"))
    assert listed == shown
    assert shown["content"] == content
    html = shown["contentHtml"].lower()
    for word in ("<script", "onerror", "onclick", "<img", "<style", "style=", "<iframe", "javascript:"):
        assert word not in html, html


def test_harmless_marks_stay(account: Account) -> None:
    """Bold is bold, links are links that tell nobody where they were; plain text is text."""
    conversation = account.make_conversation()
    account.send(conversation, '<b>bold</b> <a href="https://x.example">x</a> 1 < 2 & 3')
    (shown,) = data(account.get(f"/conversations/{conversation}/messages?include=contentHtml"))
    assert shown["contentHtml"] == (
        '<b>bold</b> <a href="https://x.example" rel="noopener noreferrer nofollow">x</a> 1 &lt; 2 &amp; 3'
    )


def test_each_form_of_a_message_has_a_tag_of_its_own(account: Account) -> None:
    """Whoever kept the form without HTML is not told that nothing changed; an edit takes the tag of either form."""
    sent = account.send(account.make_conversation(), "<b>bold</b>")
    path = f"/conversations/{sent['conversationId']}/messages/{sent['id']}"
    plain = account.get(path).headers["ETag"]
    assert account.get(path, headers={"If-None-Match": plain}).status_code == 304
    assert account.patch("/account", {"contentHtml": True}).status_code == 200
    wait_for(lambda: "contentHtml" in data(account.get(path)), "the account's choice")
    shown = account.get(path, headers={"If-None-Match": plain})
    assert shown.status_code == 200
    assert data(shown)["contentHtml"] == "<b>bold</b>"
    assert account.get(path, headers={"If-None-Match": shown.headers["ETag"]}).status_code == 304
    edited = account.patch(path, {"content": "second"}, headers={"If-Match": plain})
    assert edited.status_code == 200
    again = account.patch(path, {"content": "third"}, headers={"If-Match": edited.headers["ETag"]})
    assert again.status_code == 200
    late = account.patch(path, {"content": "fourth"}, headers={"If-Match": shown.headers["ETag"]})
    assert late.status_code == 412
    assert account.patch(path, {"content": "fourth"}, headers={"If-Match": late.headers["ETag"]}).status_code == 200
