"""Effects of a webhook, each in one transaction. Only a new contact's conversation is made in one of its own.

That order is also the order of locks: the channel's row is never held while a conversation's is waited for, because the
bridge's senders take them the other way round.
"""

from enum import StrEnum
from uuid import uuid4, uuid5

import structlog

from gateway.database import Connection, Database
from gateway.domain.conversations import NewConversation
from gateway.domain.versions import IfMatch
from gateway.live.typing import Ephemeral
from gateway.services import messages
from gateway.store import conversations
from gateway.wuzapi import store
from gateway.wuzapi.arrivals import Ignored, Inbound, Receipt, Rewritten, Typing, Understood
from gateway.wuzapi.events import GROUP
from gateway.wuzapi.store import Channel
from realtime_bridge.wuzapi.channels import ORIGIN

_log = structlog.get_logger(__name__)


class Result(StrEnum):
    """What became of a webhook: the answer's `result`."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    CHANGED = "changed"
    MOVED = "moved"
    UNCHANGED = "unchanged"
    TOLD = "told"
    IGNORED = "ignored"


def receive(database: Database, ephemeral: Ephemeral, channel: Channel, understood: Understood) -> Result:
    """Store, move or tell; doing it again changes nothing."""
    match understood:
        case Inbound():
            with database.connection() as connection:
                return _store(connection, channel, understood)
        case Rewritten():
            with database.joined() as connection:
                return _rewrite(database, connection, channel, understood)
        case Receipt():
            with database.connection() as connection:
                return _move(connection, channel, understood)
        case Typing():
            return _tell(database, ephemeral, channel, understood)
        case Ignored():
            _log.debug("webhook_ignored", channel_id=str(channel.id), why=understood.why)
            return Result.IGNORED


def _store(connection: Connection, channel: Channel, inbound: Inbound) -> Result:
    if store.is_known(connection, channel.id, inbound.provider_message_id):
        return Result.DUPLICATE
    conversation_id = _conversation_of(connection, channel, inbound)
    with connection.transaction():
        if not store.remember(connection, channel.id, conversation_id, inbound.provider_message_id):
            return Result.DUPLICATE
        for part in range(len(inbound.parts)):
            store.append_message(connection, channel, conversation_id, inbound, part)
    return Result.STORED


def _conversation_of(connection: Connection, channel: Channel, inbound: Inbound) -> int:
    """Return the contact's conversation; it is made when there is none, once."""
    known = store.find_conversation(connection, channel.id, inbound.jids)
    if known is not None:
        if len(inbound.jids) > 1:
            store.link_contacts(connection, channel.id, known, inbound.jids)
        return known
    with connection.transaction():
        store.lock_channel(connection, channel.id)
        found = store.find_conversation(connection, channel.id, inbound.jids)
        if found is None:
            found = store.find_named_conversation(connection, channel, inbound.jids)
        if found is None:
            is_group = inbound.jids[0].endswith(GROUP)  # its name is not the sender's
            name = None if is_group else inbound.name
            new = NewConversation(contact_jid=inbound.jids[0], contact_name=name, channel=channel.name)
            found, _ = conversations.append_conversation(connection, channel.account_id, uuid4(), new)
        store.link_contacts(connection, channel.id, found, inbound.jids)
        return found


def _rewrite(database: Database, connection: Connection, channel: Channel, rewritten: Rewritten) -> Result:
    """Edit or delete as the API does, once: the history keeps what was said, and events tell of it."""
    targets = [
        target
        for target in store.find_targets(connection, channel.id, rewritten.target_id)
        if target.direction == rewritten.direction
        and (not rewritten.is_group or target.sender_id in (*rewritten.senders, None))
    ]
    if not targets:
        return Result.IGNORED
    first = targets[0]
    if not store.remember(connection, channel.id, first.conversation_id, rewritten.provider_message_id):
        return Result.DUPLICATE
    if rewritten.text is not None:
        edited = (database, channel.account_id, first.conversation_id, first.id)
        messages.edit_message(*edited, IfMatch(), rewritten.text)
        targets = targets[1:]  # the new text is whole in the first part
    for target in targets:
        messages.delete_message(database, channel.account_id, target.conversation_id, target.id, IfMatch())
    return Result.CHANGED


def _move(connection: Connection, channel: Channel, receipt: Receipt) -> Result:
    with connection.transaction():
        moved, named = store.append_statuses(connection, channel.id, receipt)
    if len(named) == 1:  # a receipt may come from an address of the contact that was not known yet
        store.link_contacts(connection, channel.id, next(iter(named)), [receipt.jid])
    return Result.MOVED if moved else Result.UNCHANGED


def _tell(database: Database, ephemeral: Ephemeral, channel: Channel, typing: Typing) -> Result:
    """Pass a sign of typing on, at most one a second. A contact is no user: its id is made of channel and address."""
    with database.connection() as connection:
        conversation_id = store.find_conversation(connection, channel.id, [typing.jid])
    contact_id = uuid5(channel.id, typing.sender)
    if conversation_id is None or not ephemeral.take_typing(conversation_id, contact_id, is_typing=typing.is_typing):
        return Result.IGNORED
    username = typing.sender.partition("@")[0]
    ephemeral.publish_unstored(conversation_id, contact_id, username, is_typing=typing.is_typing, origin=ORIGIN)
    return Result.TOLD
