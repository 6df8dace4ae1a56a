"""What a recorded step sends, as bytes: placeholders filled in, abbreviations written out. Used by `replay.py`."""

import json
import re
from typing import Any

from tests.integration.local_supabase.recordings.placeholders import Values

_REPEATED_LIST = re.compile(r"<repeat (\d+) times: (.*)>", re.DOTALL)
_CANONICAL_UUID = b"00000000-0000-4000-8000-%012d"


def binary(data: dict[str, Any], values: Values) -> bytes:
    """Return the bytes of a recorded binary frame."""
    if "hex" in data:
        raw = bytes.fromhex(data["hex"])
        for placeholder, value in values.bindings.items():
            if placeholder.startswith("<uuid:"):
                raw = raw.replace(_CANONICAL_UUID % int(placeholder[6:-1]), value.encode())
        return raw
    decoded = data["decoded"]
    content = (
        bytes(decoded["payload_hex"]["size"])
        if "payload_hex" in decoded
        else json.dumps(values.fill(decoded["payload"]), separators=(",", ":")).encode()
    )
    return bytes.fromhex(data["hex_prefix"])[: data["size"] - len(content)] + content


def http_body(data: dict[str, Any], values: Values) -> bytes:
    """Return the bytes of a recorded request's body; what the recording abbreviates is written out."""
    if "body_hex" in data:
        return bytes.fromhex(data["body_hex"])
    if "body_raw" in data:
        return values.fill_text(data["body_raw"]).encode()
    if "body" not in data:
        return b""
    body = data["body"]
    if isinstance(body, str) and body.endswith("zero bytes>"):
        return bytes(int(body[1:].split()[0]))
    if isinstance(body, dict) and isinstance(body.get("messages"), str):
        repeated = _REPEATED_LIST.fullmatch(body["messages"])
        if repeated is not None:
            body = {"messages": [json.loads(repeated[2])] * int(repeated[1])}
    return json.dumps(values.fill(body)).encode()
