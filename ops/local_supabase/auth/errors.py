"""Errors of the Auth API: status, code for clients, sentence.

AuthError
├── invalid_credentials 400        wrong e-mail or password, not told apart
├── validation_failed 400          a field is missing or malformed
├── user_banned 400                an administrator keeps this user out for a time
├── refresh_token_not_found 400 · refresh_token_already_used 400
├── no_authorization 401 · bad_jwt 403 · session_not_found 403 · user_not_found 403
├── not_admin 403                  the token is not the service role's · user_not_found 404
├── user_already_exists 422 · email_exists 422 · weak_password 422
└── unexpected_failure 500         what Auth itself says of an e-mail that is taken, and of a user whom rows refer to
"""

from dataclasses import dataclass


@dataclass(eq=False)
class AuthError(Exception):
    """A refused request to /auth/v1."""

    status: int
    code: str
    message: str
    weak: tuple[str, ...] = ()  # reasons of a weak password, which clients show


def invalid(message: str) -> AuthError:
    return AuthError(400, "validation_failed", message)


INVALID_CREDENTIALS = AuthError(400, "invalid_credentials", "Invalid login credentials")
EMAIL_TAKEN = AuthError(422, "user_already_exists", "User already registered")
TOKEN_NOT_FOUND = AuthError(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")
TOKEN_USED = AuthError(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used")
NO_AUTHORIZATION = AuthError(401, "no_authorization", "This endpoint requires a valid Bearer token")
NOT_ADMIN = AuthError(403, "not_admin", "User not allowed")
EMAIL_EXISTS = AuthError(422, "email_exists", "A user with this email address has already been registered")
BANNED = AuthError(400, "user_banned", "User is banned")
NOT_UPDATED = AuthError(500, "unexpected_failure", "Error updating user")
NOT_DELETED = AuthError(500, "unexpected_failure", "Database error deleting user")
NO_SUCH_USER = AuthError(404, "user_not_found", "User not found")
BAD_JWT = AuthError(403, "bad_jwt", "invalid JWT: unable to parse or verify signature")
NO_SESSION = AuthError(403, "session_not_found", "Session from session_id claim in JWT does not exist")
NO_USER = AuthError(403, "user_not_found", "User from sub claim in JWT does not exist")
