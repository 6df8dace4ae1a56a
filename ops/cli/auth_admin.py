"""Users made through the project's Auth Admin API, as Supabase supports. Used by `crossfade users create`.

Rows of `auth.users` written by SQL lack what Auth writes beside them, and such a user may not be able to sign in.
"""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from uuid import UUID

import requests

from ops.errors import OpsError

TIMEOUT_S = 10.0
REASON_CHARACTERS = 300
TAKEN = ("email_exists", "user_already_exists")  # as Auth says that the address has a user


class AuthAdminError(OpsError):
    """The project's Auth API refused, or did not answer. `is_there`: somebody has that address already."""

    def __init__(self, sentence: str, *, is_there: bool = False) -> None:
        super().__init__(sentence)
        self.is_there = is_there


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedUser:
    id: UUID
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthAdmin:
    """`url` is the project's, `secret_key` its secret (or service role) key, `public_key` what clients are told."""

    url: str
    secret_key: str = field(repr=False)
    public_key: str | None

    @property
    def sign_in_url(self) -> str:
        return f"{self.url.rstrip('/')}/auth/v1/token?grant_type=password"

    def has_user(self, user_id: UUID) -> bool:
        return self._ask("GET", f"/admin/users/{user_id}", None).status_code == HTTPStatus.OK

    def create_user(self, email: str, *, password: str | None, accounts: list[UUID]) -> CreatedUser:
        """Return the new, confirmed user, whom `accounts` may name. Raises AuthAdminError with the project's words."""
        wanted: dict[str, Any] = {"email": email, "email_confirm": True}
        wanted |= {"password": password} if password else {}
        wanted |= {"app_metadata": {"chat_accounts": [str(one) for one in accounts]}} if accounts else {}
        answer = self._ask("POST", "/admin/users", wanted)
        if answer.status_code not in (HTTPStatus.OK, HTTPStatus.CREATED):
            said = _said(answer)
            reason = str(said.get("msg") or said.get("message") or said or answer.text)[:REASON_CHARACTERS]
            sentence = f"{self.url} did not create {email} ({answer.status_code}): {reason}"
            raise AuthAdminError(sentence, is_there=said.get("error_code") in TAKEN)
        user = answer.json()
        return CreatedUser(id=UUID(user["id"]), email=str(user["email"]))

    def _ask(self, method: str, path: str, body: object) -> requests.Response:
        headers = {"apikey": self.secret_key, "Authorization": f"Bearer {self.secret_key}"}
        try:
            return requests.request(
                method, f"{self.url.rstrip('/')}/auth/v1{path}", json=body, headers=headers, timeout=TIMEOUT_S
            )
        except requests.RequestException as error:
            raise AuthAdminError(f"{self.url} did not answer: {type(error).__name__}") from error


def _said(answer: requests.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        document = None
    return document if isinstance(document, dict) else {}
