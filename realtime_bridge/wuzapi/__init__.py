"""WhatsApp through WUZAPI servers (github.com/asternic/wuzapi): what both sides of the log share, and the way out.

The way in is `gateway.wuzapi`. A channel is one WUZAPI user of one account: its server, its token, its HMAC key.
"""

ORIGIN = "wuzapi"  # of events that came from there: they are not sent back


def token_context(channel_id: object) -> str:
    """What a sealed token is bound to."""
    return f"channel:{channel_id}:token"


def hmac_context(channel_id: object) -> str:
    """What a sealed HMAC key is bound to."""
    return f"channel:{channel_id}:hmac"
