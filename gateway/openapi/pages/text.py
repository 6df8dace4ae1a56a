"""Words as HTML: escaped, with the few marks that our own texts use. Pure."""

import re
from html import escape


def paragraphs(words: str) -> str:
    return "".join(f"<p>{inline(part)}</p>" for part in words.strip().split("\n\n") if part)


def inline(words: str) -> str:
    """Escape, then the two marks that our own texts use: `code` and [links](path)."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(words))
    return re.sub(r"\[([^\]]+)\]\((/[^)]*)\)", r'<a href="\2">\1</a>', marked)


def block(text: str, language: str = "") -> str:
    """Return a block of code."""
    attribute = f' data-lang="{language}"' if language else ""
    return f"<pre{attribute}><code>{escape(text, quote=False)}</code></pre>"


def slug(title: str) -> str:
    """Return the name of a page in its address: `api-keys` of "API keys"."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
