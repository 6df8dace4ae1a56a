"""Bodies of webhooks, in either of two encodings. Both are signed over their raw bytes. Pure.

WEBHOOK_FORMAT=json sends one JSON object; anything else sends a form whose `jsonData` is that object as text. Media in
multipart are signed over something that is not the body, and refused.
"""

from typing import Any
from urllib.parse import parse_qs

from gateway.errors import MalformedJson, UnsupportedMediaType
from realtime_bridge.shared.payloads import Unreadable, decode

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
MAX_FIELDS = 16  # it sends three


def read(body: bytes, mimetype: str) -> dict[str, Any]:
    """Return the event's document, with `userID` from wherever it was. Raises UnsupportedMediaType or MalformedJson."""
    if mimetype == JSON:
        return _document(body.decode("utf-8", "replace"))
    if mimetype != FORM:
        raise UnsupportedMediaType(f"Send {JSON} or {FORM}; media can be sent by link (S3).")
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=MAX_FIELDS)
    except ValueError:
        raise MalformedJson(f"A form has at most {MAX_FIELDS} fields.") from None
    document = _document(fields.get("jsonData", [""])[0])
    for name in ("userID", "instanceName"):
        if name in fields:
            document.setdefault(name, fields[name][0])
    return document


def _document(text: str) -> dict[str, Any]:
    try:
        return decode(text)
    except Unreadable:
        raise MalformedJson("The event is not a JSON object.") from None
