"""Content is stored as sent; what is asked for as HTML is safe to show."""

import pytest

from tests.integration.gateway.conftest import Account, data

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
