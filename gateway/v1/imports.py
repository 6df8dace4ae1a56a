"""`…/messages:import`: many messages at once, each checked and answered for itself."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, g, request
from pydantic import ValidationError

from gateway.database import Database
from gateway.domain.messages import ImportedMessage
from gateway.http import rendering
from gateway.http.idempotency import is_repeat
from gateway.http.validation import body_errors, read_body, read_query
from gateway.services import imports as service
from gateway.services.imports import Imported
from gateway.v1.messages import MESSAGES
from gateway.v1.paths import PREFIX
from gateway.v1.schemas.fields import NoQuery
from gateway.v1.schemas.imports import MAX_IMPORT, ImportMessage, ImportMessages

ENDPOINT = "imports.import_messages"


def blueprint(database: Database, charge_sends: Callable[[int], None]) -> Blueprint:
    """`charge_sends` counts so many messages as sent, or raises: for those who are told of them they are."""
    routes = Blueprint("imports", __name__, url_prefix=PREFIX)

    def charge() -> None:
        """Before the view, which may run within a transaction: limits are asked over the network."""
        count = _announced(request.get_data(cache=True))
        if count and not is_repeat(database):
            charge_sends(count)

    def import_messages(conversation_id: int) -> Response:
        read_query(NoQuery)
        body = read_body(ImportMessages)
        items, faults = _check(body.messages)
        account_id = g.api_key.account_id
        results = service.import_messages(database, account_id, conversation_id, items, announce=body.announce)
        ordered = sorted([*results, *faults], key=lambda result: result.index)
        counts = {word: sum(result.status == word for result in ordered) for word in service.OUTCOMES}
        return rendering.one(json.dumps({**counts, "results": [_shown(result) for result in ordered]}))

    routes.before_request(charge)
    routes.add_url_rule(f"{MESSAGES}:import", view_func=import_messages, methods=["POST"])
    return routes


def _announced(raw: bytes) -> int:
    """Return how many messages a body wants to announce; none when the view will refuse it anyway."""
    if b"announce" not in raw:
        return 0
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return 0
    messages = body.get("messages") if isinstance(body, dict) and body.get("announce") is True else None
    return len(messages) if isinstance(messages, list) and len(messages) <= MAX_IMPORT else 0


def _check(messages: list[dict[str, Any]]) -> tuple[list[ImportedMessage], list[Imported]]:
    """Tell the items that can be read from those that cannot, with the first fault of each."""
    items, faults = [], []
    for index, message in enumerate(messages):
        try:
            items.append(ImportMessage.model_validate(message).to_domain(index))
        except ValidationError as error:
            fault = body_errors(error)[0]
            faults.append(
                Imported(index=index, status="invalid", code=fault.code, pointer=fault.pointer, detail=fault.detail)
            )
    return items, faults


def _shown(result: Imported) -> dict[str, object]:
    return {name: value for name, value in dataclasses.asdict(result).items() if value is not None}
