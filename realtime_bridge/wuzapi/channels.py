"""Servers of WUZAPI that channels may name. Pure; asked when a channel is made, and again before anything is sent.

WUZAPI usually runs in a private network, so a rule about addresses cannot tell it from what a customer must not reach:
the operator lists the servers instead, and nothing else is ever called.
"""

from urllib.parse import urlsplit

from realtime_bridge.shared.environment import Environment

ORIGIN = "wuzapi"  # of events that came from there: they are not sent back


def token_context(channel_id: object) -> str:
    """What a sealed token is bound to."""
    return f"channel:{channel_id}:token"


def hmac_context(channel_id: object) -> str:
    """What a sealed HMAC key is bound to."""
    return f"channel:{channel_id}:hmac"


VARIABLE = "CROSSFADE_WUZAPI_URLS"


def allowed_servers(env: Environment) -> frozenset[str]:
    """Return the listed base URLs, normalised; empty when there are none."""
    servers = frozenset(normalise(word) for word in env.words("CROSSFADE_WUZAPI_URLS"))
    if "" in servers:
        sentence = f"{VARIABLE} must list URLs such as https://wuzapi.example.com, without user, query or fragment."
        return env.wrong(sentence, frozenset())
    return servers


def normalise(url: str) -> str:
    """Return the one spelling of a base URL, or nothing when it cannot be one."""
    try:
        parts = urlsplit(url.strip())
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or parts.username is not None or parts.query or parts.fragment:
        return ""
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}{port}{parts.path.rstrip('/')}"
