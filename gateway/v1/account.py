"""`/account`: what the account chose for itself. Parse, call the service, render."""

from functools import partial
from uuid import UUID

from flask import Response

from gateway.database import Database
from gateway.domain.accounts import AccountSettings
from gateway.domain.keys import Scope
from gateway.http import rendering
from gateway.http.routes import Route
from gateway.services import account as service
from gateway.v1.paths import PREFIX
from gateway.v1.schemas import answers
from gateway.v1.schemas.account import ChangeAccount


def get_account(database: Database, account_id: UUID) -> Response:
    """Get the account."""
    return _one(service.get_account(database, account_id))


def change_account(database: Database, account_id: UUID, body: ChangeAccount) -> Response:
    """Change the account. With `contentHtml`, whatever shows `content` (routes, events, webhooks, channels, sockets)
    shows `contentHtml`, too, which is safe to put on a page, and `lastMessagePreviewHtml` beside `lastMessagePreview`.
    It holds within a second.
    """
    return _one(service.change_account(database, account_id, content_html=body.content_html))


_route = partial(
    Route,
    area="account",
    tag="Account",
    answer=answers.Account,
    own_scope=Scope.KEYS,  # whoever hands out keys decides what everybody with a key is shown
)
ROUTES = (
    _route("GET", f"{PREFIX}/account", get_account),
    _route("PATCH", f"{PREFIX}/account", change_account, example={"contentHtml": True}),
)


def _one(settings: AccountSettings) -> Response:
    return rendering.one(rendering.shown(settings, answers.Account))
