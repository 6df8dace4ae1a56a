"""`…/messages:import`: many messages at once, each checked and answered for itself."""

import dataclasses
import json
from typing import Any

from flask import Blueprint, Response, g
from pydantic import ValidationError

from gateway import rendering
from gateway.changes import ImportedMessage
from gateway.db import Database
from gateway.faults import body_errors
from gateway.services import imports as service
from gateway.services.imports import Imported
from gateway.v1.fields import NoQuery
from gateway.v1.message_schemas import ImportMessage, ImportMessages
from gateway.v1.messages import MESSAGES
from gateway.v1.paths import PREFIX
from gateway.validation import read_body, read_query

ENDPOINT = "imports.import_messages"


def blueprint(database: Database) -> Blueprint:
    routes = Blueprint("imports", __name__, url_prefix=PREFIX)

    def import_messages(conversation_id: int) -> Response:
        read_query(NoQuery)
        body = read_body(ImportMessages)
        items, faults = _check(body.messages)
        account_id = g.api_key.account_id
        results = service.import_messages(database, account_id, conversation_id, items, announce=body.announce)
        ordered = sorted([*results, *faults], key=lambda result: result.index)
        counts = {word: sum(result.status == word for result in ordered) for word in service.OUTCOMES}
        return rendering.one(json.dumps({**counts, "results": [_shown(result) for result in ordered]}))

    routes.add_url_rule(f"{MESSAGES}:import", view_func=import_messages, methods=["POST"])
    return routes


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
