"""What a message says as HTML that is safe to show. Made on the way out and on demand: content is stored as sent."""

import json
from collections.abc import Iterable

import nh3

TAGS = frozenset(
    {"a", "b", "blockquote", "br", "code", "del", "em", "i", "li", "ol", "p", "pre", "s", "strong", "u", "ul"}
)
ATTRIBUTES = {"a": {"href"}}  # no images and no styles: they load from elsewhere, or cover what is not theirs
SCHEMES = frozenset({"http", "https", "mailto", "tel"})


def clean(content: str) -> str:
    """Return the content with only harmless marks left; whatever else looked like HTML is gone or escaped."""
    return nh3.clean(
        content,
        tags=set(TAGS),
        attributes={name: set(names) for name, names in ATTRIBUTES.items()},
        url_schemes=set(SCHEMES),
        link_rel="noopener noreferrer nofollow",
    )


def with_html(representations: Iterable[str]) -> list[str]:
    """Add `contentHtml` to messages that are JSON text."""
    shown = []
    for representation in representations:
        message = json.loads(representation)
        shown.append(json.dumps(message | {"contentHtml": clean(message["content"])}, ensure_ascii=False))
    return shown
