"""The real server's words for what it refuses. One token fault reads differently at handshake, join and refresh."""

from dataclasses import dataclass

from ops.local_supabase.access.tokens import Fault, TokenError

_REQUIRED = "Fields `role` and `exp` are required in JWT"
_MALFORMED = "The token provided is not a valid JWT"
_SIGNATURE = "Failed to validate JWT signature"
_SIGNER = "Failed to generate JWT signer, check your JWT secret or JWKS configuration"
_WORDS = {  # for the apikey of a connection, the access_token of a join, and of a refresh
    Fault.MALFORMED: (_MALFORMED, f"MalformedJWT: {_MALFORMED}", _MALFORMED),
    Fault.BAD_SIGNATURE: (_SIGNATURE, f"JwtSignatureError: {_SIGNATURE}", ":signature_error"),
    Fault.NO_SIGNER: (_SIGNER, f"JwtSignerError: {_SIGNER}", ":signer_error"),
    Fault.EXPIRED: ("Token has expired", "InvalidJWTToken: {late}", "{late}"),
    Fault.CLAIMS_MISSING: (_REQUIRED, f"InvalidJWTToken: {_REQUIRED}", _REQUIRED),
    Fault.CRASH: (
        "Error connecting to Realtime",
        "UnknownErrorOnChannel: the token could not be read",
        _MALFORMED,
    ),
}


@dataclass(eq=False)
class JoinRefusedError(Exception):
    """A refused join; the reason is what the client reads. `disconnect` closes the whole connection as well."""

    reason: str
    disconnect: bool = False


@dataclass(eq=False)
class HandshakeRefusedError(Exception):
    """A refused handshake: an HTTP status and the text of its JSON body."""

    status: int
    text: str


def unreadable(topic: str) -> str:
    return f"You do not have permissions to read from this Channel topic: {topic}"


def no_longer_readable(topic: str) -> str:
    return f"You no longer have permission to read from this Channel topic: {topic}"


def expired(seconds: int) -> str:
    return f"Token has expired {seconds} seconds ago"


def at_handshake(error: TokenError) -> HandshakeRefusedError:
    return HandshakeRefusedError(500 if error.fault is Fault.CRASH else 401, _WORDS[error.fault][0])


def at_join(error: TokenError) -> JoinRefusedError:
    return JoinRefusedError(_WORDS[error.fault][1].format(late=expired(error.expired_s)))


def at_refresh(error: TokenError) -> str:
    """Message of the system event that precedes phx_close."""
    return _WORDS[error.fault][2].format(late=expired(error.expired_s))
