"""Every route: its scope, its parameters, and nothing of what belongs to others."""

import importlib
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response, jsonify

from gateway.database import Database
from gateway.domain.keys import Scope
from gateway.http.idempotency import Idempotency
from gateway.http.registration import register
from gateway.http.routes import Route
from tests.integration.gateway.conftest import WUZAPI_URL, Account, data, problem
from tests.integration.gateway.openapi.conftest import OURS, described
from tests.servers.gateway_server import ROOT

# Of an id that nobody has: the table is about who may ask, and what is not there is 404 for whoever may.
NOBODY = "b0000000-0000-4000-8000-000000000009"
IDS = {"key_id": "nobody", "user_id": NOBODY, "attachment_id": NOBODY, "channel_id": NOBODY}


def test_no_area_is_forgotten(app: Flask) -> None:
    """Every module with routes is in the one list of them."""
    files = [file for file in (ROOT / "gateway").rglob("*.py") if "\nROUTES = " in file.read_text()]
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]
    written = [route for name in names for route in importlib.import_module(name).ROUTES]
    assert {route.endpoint for route in written} == {rule.endpoint for rule in app.url_map.iter_rules()}


def test_a_view_without_a_record_is_refused() -> None:
    """And so is one that asks for what nobody gives, or takes no notice of a part of its path."""
    app, once = Flask(__name__, static_folder=None), Idempotency(Database("", pool_size=1))

    def list_news(database: Database, news_id: int) -> Response:
        return jsonify(news_id, str(database))

    register(app, (), {}, once)
    with pytest.raises(TypeError, match="route"):
        app.add_url_rule("/news", "news", list_news)
    with pytest.raises(TypeError, match=r"news\.list_news: nobody gives, or takes, database, news_id, page"):
        register(app, [Route("GET", "/news/<page>", list_news, area="news")], {}, once)


def test_every_route_wants_its_scope_and_no_other(
    document: dict[str, Any], new_account: Callable[..., Account]
) -> None:
    """Each path and method of the document with a key of each single scope: one opens it, the others are 403."""
    accounts = {scope: new_account(scopes=[scope.value]) for scope in Scope}
    for path, method, operation in described(document):
        url = re.sub(r"\{(\w+)\}", lambda found: str(IDS.get(found[1], 999_999)), path)
        example = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
        sent = {} if example is None else {"json": example}
        opened = set()
        for scope, account in accounts.items():
            answer = account.open(method, url, headers={"If-Match": "*"}, **sent)
            assert answer.status_code < 500, (method, path)
            if answer.status_code == 403 and answer.get_json(force=True)["code"] == "scope_missing":
                assert f'scope="{_wanted(operation)}"' in answer.headers["WWW-Authenticate"]
            else:
                opened.add(scope.value)
        assert opened == {_wanted(operation)}, (method, path)


def test_every_route_refuses_parameters_that_it_does_not_have(
    document: dict[str, Any], new_account: Callable[..., Account]
) -> None:
    """By name and before anything is done, also where a route has none at all."""
    account = new_account(scopes=[scope.value for scope in Scope], rate_limit=1_000)
    for path, method, _ in described(document):
        url = re.sub(r"\{(\w+)\}", lambda found: str(IDS.get(found[1], 999_999)), path)
        answer = problem(account.open(method, f"{url}?nonsense=1"), 422, "validation_failed")
        faults = {(fault["code"], fault["parameter"]) for fault in answer["errors"]}
        assert ("unknown_parameter", "nonsense") in faults, (method, path)


def _wanted(operation: dict[str, Any]) -> str:
    found = re.search(r"Needs the scope `([a-z:]+)`", operation["description"])
    assert found is not None
    return found[1]


def test_every_scope_is_of_use() -> None:
    """Each one that a key can have opens something."""
    assert {route.scope for route in OURS} == set(Scope)


def test_what_belongs_to_others_is_not_there(
    document: dict[str, Any], account: Account, new_account: Callable[..., Account]
) -> None:
    """Each path with ids, with the ids of another account: 404, as for ids that nobody has."""
    conversation = account.make_conversation()
    message = account.send(conversation)["id"]
    key = data(account.post("/keys", {"name": "x", "scopes": ["chat:read"]}))["id"]
    file = {"fileName": "a.pdf", "contentType": "application/pdf", "sizeBytes": 9}
    attachment = data(account.post("/attachments", file))["id"]
    webhook = data(account.post("/webhooks", {"url": "https://example.com/hooks"}))["id"]
    (secret,) = data(account.get(f"/webhooks/{webhook}/secrets"))
    (delivery,) = data(account.get(f"/webhooks/{webhook}/deliveries"))
    channel = data(account.post("/channels", {"name": "a", "baseUrl": WUZAPI_URL, "token": "t"}))["id"]
    ids = {"conversation_id": conversation, "message_id": message, "key_id": key, "attachment_id": attachment}
    ids |= {"user_id": account.id, "channel_id": channel, "webhook_id": webhook}
    ids |= {"secret_id": secret["id"], "delivery_id": delivery["id"]}
    stranger = new_account()
    for path, method, operation in described(document):
        if "{" not in path:
            continue
        url = re.sub(r"\{(\w+)\}", lambda found: str(ids[found[1]]), path)
        example = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
        sent = {} if example is None else {"json": example}
        problem(stranger.open(method, url, headers={"If-Match": "*"}, **sent), 404, "not_found")
