"""A chat with the client that openapi-python-client makes of the document: `crossfade_client`."""

import importlib
import json
import os
import pkgutil

import crossfade_client
from crossfade_client import AuthenticatedClient
from crossfade_client.api.conversations import conversations_create_conversation as create_conversation
from crossfade_client.api.events import events_list_events as list_events
from crossfade_client.api.messages import messages_edit_message as edit_message
from crossfade_client.api.messages import messages_get_message as get_message
from crossfade_client.api.messages import messages_send_message as send_message
from crossfade_client.models import CreateConversation, EditMessage, MessageNewEvent, Problem, SendMessage

for module in pkgutil.walk_packages(crossfade_client.__path__, "crossfade_client."):
    importlib.import_module(module.name)

with AuthenticatedClient(os.environ["API"], os.environ["KEY"]) as client:
    begun = list_events.sync(client=client, after="latest")
    made = create_conversation.sync(client=client, body=CreateConversation(contact_jid="ana@example.com"))
    conversation = made.data.id
    sent = send_message.sync(conversation, client=client, body=SendMessage(content="Hello")).data
    shown = get_message.sync_detailed(conversation, sent.id, client=client)
    edit = EditMessage(content="Hello, Ana")
    edited = edit_message.sync(conversation, sent.id, client=client, body=edit, if_match=shown.headers["ETag"])
    told = list_events.sync(client=client, after=begun.pagination.next_cursor, wait=5)
    refused = send_message.sync(conversation, client=client, body=SendMessage(content=" "))

assert isinstance(refused, Problem)
new = next(event for event in told.data if isinstance(event, MessageNewEvent))
seen = {"seq": sent.seq, "edited": edited.data.content, "told": new.data.content, "refused": refused.errors[0].pointer}
print(json.dumps(seen))
