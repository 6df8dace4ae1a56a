"""HTML of what somebody wrote, safe to show. Made on the way out: content is stored and sent as written. Pure.

`content` and whatever else a person wrote is text: who puts it on a page has to escape it. An account that would rather
put it there as it stands asks for the safe form, and finds it beside the text wherever content goes.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import nh3

TAGS = {"a", "b", "blockquote", "br", "code", "del", "em", "i", "li", "ol", "p", "pre", "s", "strong", "u", "ul"}
ATTRIBUTES = {"a": {"href"}}  # no images and no styles: they load from elsewhere, or cover what is not theirs
SCHEMES = {"http", "https", "mailto", "tel"}
SAFE_FORMS = {"content": "contentHtml", "lastMessagePreview": "lastMessagePreviewHtml"}
"""The texts of a payload that people write for others to read, and where their safe form stands."""


def clean(content: str) -> str:
    """Return the content with only harmless marks left; whatever else looked like HTML is gone or escaped."""
    return nh3.clean(
        content,
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes=SCHEMES,
        link_rel="noopener noreferrer nofollow",
    )


def with_html(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message or conversation with the safe form of each text it has; null stays null."""
    said = {name: payload[name] for name in SAFE_FORMS if name in payload}
    return {
        **payload,
        **{SAFE_FORMS[name]: clean(text) if isinstance(text, str) else None for name, text in said.items()},
    }


def each_with_html(representations: Iterable[str]) -> list[str]:
    """The same for messages and conversations that are JSON text."""
    return [json.dumps(with_html(json.loads(shown)), ensure_ascii=False) for shown in representations]


def event_with_html(representation: str) -> str:
    """The same for the `data` of an event's body, which is JSON text."""
    body = json.loads(representation)
    return json.dumps(body | {"data": with_html(body["data"])}, ensure_ascii=False)
