"""Paths that several resources share, and ids in them.

A number that cannot be a row's id names nothing, so it is 404 like any other unknown id.
"""

from werkzeug.routing import BaseConverter, ValidationError

from gateway.v1.schemas.fields import MAX_BIGINT

PREFIX = "/api/v1/chat"
CONVERSATIONS = f"{PREFIX}/conversations"
CONVERSATION = f"{CONVERSATIONS}/<row_id:conversation_id>"
MESSAGES = f"{CONVERSATION}/messages"
WEBHOOKS = f"{PREFIX}/webhooks"
WEBHOOK = f"{WEBHOOKS}/<row_id:webhook_id>"


class KeyId(BaseConverter):
    regex = "[0-9A-Za-z]{1,32}"


class RowId(BaseConverter):
    regex = "[1-9][0-9]{0,18}"

    def to_python(self, value: str) -> int:
        row_id = int(value)
        if row_id > MAX_BIGINT:
            raise ValidationError
        return row_id
