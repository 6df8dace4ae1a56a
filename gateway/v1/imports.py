"""`…/messages:import`: many messages at once, each checked and answered for itself."""

import dataclasses
import json
from typing import Any
from uuid import UUID

from flask import Response, request
from pydantic import ValidationError

from gateway.database import Database
from gateway.domain.messages import ImportedMessage
from gateway.gates.rate_limit import RateLimitGate
from gateway.http import rendering
from gateway.http.idempotency import is_repeat
from gateway.http.routes import Route
from gateway.http.validation import body_errors
from gateway.services import imports as service
from gateway.services.imports import Imported
from gateway.v1.paths import MESSAGES
from gateway.v1.schemas import answers
from gateway.v1.schemas.imports import MAX_IMPORT, MAX_IMPORT_BYTES, ImportMessage, ImportMessages


def charge(database: Database, limits: RateLimitGate) -> None:
    """Count announced messages as sent, or raise: for those who are told of them they are."""
    count = _announced(request.get_data(cache=True))
    if count and not is_repeat(database):
        limits.charge_sends(count)


def import_messages(database: Database, account_id: UUID, conversation_id: int, body: ImportMessages) -> Response:
    """Import messages. Up to 500, each an [ImportMessage](/docs/schemas#ImportMessage) with its own `createdAt` and its
    own result: one that is wrong leaves the others alone. Events only with `announce`; then each message counts as one
    that is sent, and 429 tells how many fit (`remaining`). A repeat with the same `Idempotency-Key` is not counted
    again; messages that turn out to be duplicates by `clientMessageId` are, so repeat with the key.
    """
    items, faults = _check(body.messages)
    results = service.import_messages(database, account_id, conversation_id, items, announce=body.announce)
    ordered = sorted([*results, *faults], key=lambda result: result.index)
    counts = {word: sum(result.status == word for result in ordered) for word in service.OUTCOMES}
    shown = [{name: said for name, said in dataclasses.asdict(one).items() if said is not None} for one in ordered]
    return rendering.one({**counts, "results": shown})


ROUTES = (
    Route(
        "POST",
        f"{MESSAGES}:import",
        import_messages,
        area="imports",
        tag="Messages",
        answer=answers.Imported,
        mentions=(ImportMessage,),
        example={
            "messages": [{"content": "Hi", "direction": "incoming", "createdAt": "2020-01-01T10:00:00Z"}],
            "announce": False,
        },
        largest_body=MAX_IMPORT_BYTES,
        before=charge,  # limits are asked over the network
    ),
)


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
            faults.append(service.invalid(index, body_errors(error)[0]))
    return items, faults
