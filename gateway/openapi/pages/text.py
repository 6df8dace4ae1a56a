"""Words as HTML: escaped, with the few marks our texts use. Pure."""

import re
from html import escape

from markupsafe import Markup


def paragraphs(words: str) -> Markup:
    return Markup().join(Markup("<p>{}</p>").format(inline(part)) for part in words.strip().split("\n\n") if part)


def inline(words: str) -> Markup:
    """Escape, then the two marks that our own texts use: `code` and [links](path)."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(words))
    linked = re.sub(r"\[([^\]]+)\]\((/[^)]*)\)", r'<a href="\2">\1</a>', marked)
    return Markup(linked)  # noqa: S704 escaped above


def slug(title: str) -> str:
    """Return the name of a page in its address: `api-keys` of "API keys"."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def address_of(tag: str) -> str:
    """Return where a resource's page is."""
    return f"/docs/api/{slug(tag)}"
