"""The real server's words for what it refuses. One token fault reads differently at handshake, join and refresh."""

from ops.local_supabase.access.tokens import Fault, TokenError

_REQUIRED = "Fields `role` and `exp` are required in JWT"
_MALFORMED = "The token provided is not a valid JWT"
_SIGNATURE = "Failed to validate JWT signature"
_SIGNER = "Failed to generate JWT signer, check your JWT secret or JWKS configuration"


class JoinRefusedError(Exception):
    """A refused join; the reason is what the client reads. `disconnect` closes the whole connection as well."""

    def __init__(self, reason: str, *, disconnect: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.disconnect = disconnect


class HandshakeRefusedError(Exception):
    """A refused handshake: an HTTP status and the text of its JSON body."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def unreadable(topic: str) -> str:
    return f"You do not have permissions to read from this Channel topic: {topic}"


def no_longer_readable(topic: str) -> str:
    return f"You no longer have permission to read from this Channel topic: {topic}"


def expired(seconds: int) -> str:
    return f"Token has expired {seconds} seconds ago"


def at_handshake(error: TokenError) -> HandshakeRefusedError:
    """Status and text for the apikey of a connection."""
    match error.fault:
        case Fault.MALFORMED:
            return HandshakeRefusedError(401, _MALFORMED)
        case Fault.BAD_SIGNATURE:
            return HandshakeRefusedError(401, _SIGNATURE)
        case Fault.NO_SIGNER:
            return HandshakeRefusedError(401, _SIGNER)
        case Fault.EXPIRED:
            return HandshakeRefusedError(401, "Token has expired")
        case Fault.CLAIMS_MISSING:
            return HandshakeRefusedError(401, _REQUIRED)
        case Fault.CRASH:
            return HandshakeRefusedError(500, "Error connecting to Realtime")


def at_join(error: TokenError) -> JoinRefusedError:
    """Reason for the access_token of a join."""
    match error.fault:
        case Fault.MALFORMED:
            return JoinRefusedError(f"MalformedJWT: {_MALFORMED}")
        case Fault.BAD_SIGNATURE:
            return JoinRefusedError(f"JwtSignatureError: {_SIGNATURE}")
        case Fault.NO_SIGNER:
            return JoinRefusedError(f"JwtSignerError: {_SIGNER}")
        case Fault.EXPIRED:
            return JoinRefusedError(f"InvalidJWTToken: {expired(error.expired_s)}")
        case Fault.CLAIMS_MISSING:
            return JoinRefusedError(f"InvalidJWTToken: {_REQUIRED}")
        case Fault.CRASH:
            return JoinRefusedError("UnknownErrorOnChannel: the token could not be read")


def at_refresh(error: TokenError) -> str:
    """Message of the system event that precedes phx_close."""
    match error.fault:
        case Fault.BAD_SIGNATURE:
            return ":signature_error"
        case Fault.NO_SIGNER:
            return ":signer_error"
        case Fault.EXPIRED:
            return expired(error.expired_s)
        case Fault.CLAIMS_MISSING:
            return _REQUIRED
        case Fault.MALFORMED | Fault.CRASH:
            return _MALFORMED
