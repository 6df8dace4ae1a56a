"""`/account`: what the account chose for itself. Parse, call the service, render."""

import json
from datetime import UTC

from flask import Blueprint, Response, g

from gateway.database import Database
from gateway.domain.accounts import AccountSettings
from gateway.http import rendering
from gateway.http.validation import read_body, read_query
from gateway.services import account as service
from gateway.v1.paths import PREFIX
from gateway.v1.schemas.account import ChangeAccount
from gateway.v1.schemas.fields import NoQuery


def blueprint(database: Database) -> Blueprint:
    routes = Blueprint("account", __name__, url_prefix=PREFIX)

    def get_account() -> Response:
        read_query(NoQuery)
        return _one(service.get_account(database, g.api_key.account_id))

    def change_account() -> Response:
        read_query(NoQuery)
        body = read_body(ChangeAccount)
        return _one(service.change_account(database, g.api_key.account_id, content_html=body.content_html))

    routes.add_url_rule("/account", view_func=get_account, methods=["GET"])
    routes.add_url_rule("/account", view_func=change_account, methods=["PATCH"])
    return routes


def _one(settings: AccountSettings) -> Response:
    updated_at = settings.updated_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if settings.updated_at else None
    shown = {"id": str(settings.id), "contentHtml": settings.content_html, "updatedAt": updated_at}
    return rendering.one(json.dumps(shown))
