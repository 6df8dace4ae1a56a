"""Conversations and who takes part in them, described."""

from gateway import errors
from gateway.openapi.operations import answers
from gateway.openapi.operations.operation import Operation, from_body
from gateway.v1.schemas import conversations, participants
from gateway.v1.schemas import conversations as changes

TAG = "Conversations"
PEOPLE = "Participants"
_FOLLOWS = {
    "conversations.get_conversation": from_body(conversation_id="id"),
    "conversations.change_conversation": from_body(conversation_id="id"),
    "conversations.assign_conversation": from_body(conversation_id="id"),
    "messages.send_message": from_body(conversation_id="id"),
    "messages.list_messages": from_body(conversation_id="id"),
    "participants.list_participants": from_body(conversation_id="id"),
    "participants.mark_read": from_body(conversation_id="id"),
    "participants.tell_typing": from_body(conversation_id="id"),
}
_PERSON = "2f1c8a9e-3b4d-4c5e-8f60-718293a4b5c6"

OPERATIONS = {
    "conversations.create_conversation": Operation(
        summary="Create a conversation",
        tag=TAG,
        status=201,
        body=conversations.CreateConversation,
        answer=answers.Conversation,
        example={"contactJid": "5491155553934@s.whatsapp.net", "contactName": "Ana"},
        follows=_FOLLOWS,
        description="Stores it with its participants and the event `conversation.new`.",
    ),
    "conversations.list_conversations": Operation(
        summary="List conversations",
        tag=TAG,
        is_list=True,
        query=conversations.ListConversations,
        answer=answers.ListedConversation,
        description="Latest activity first. Go on with `cursor`, or with `page` if you count pages.",
    ),
    "conversations.get_conversation": Operation(
        summary="Get a conversation", tag=TAG, answer=answers.Conversation, description="With its participants."
    ),
    "conversations.change_conversation": Operation(
        summary="Change a conversation",
        tag=TAG,
        body=changes.PatchConversation,
        answer=answers.Conversation,
        if_match="optional",
        example={"status": "snoozed", "snoozedUntil": "2027-01-31T09:00:00Z"},
        description="What is left out stays. Appends `conversation.updated` when something changed.",
    ),
    "conversations.assign_conversation": Operation(
        summary="Assign an agent or a bot",
        tag=TAG,
        body=changes.AssignConversation,
        answer=answers.Conversation,
        if_match="optional",
        example={"botId": "greeter"},
        description="Appends `conversation.assigned` when something changed.",
    ),
    "participants.list_participants": Operation(
        summary="List participants", tag=PEOPLE, is_list=True, answer=answers.Participant
    ),
    "participants.put_participant": Operation(
        summary="Add a participant, or change a role",
        tag=PEOPLE,
        body=participants.PutParticipant,
        answer=answers.Conversation,
        example={"userId": _PERSON, "role": "agent"},
        description="The project's operator says which users an account may name; any other id is `unknown_user`.",
        problems=(errors.OwnerStays, errors.TooManyParticipants),
    ),
    "participants.remove_participant": Operation(
        summary="Remove a participant", tag=PEOPLE, answer=answers.Conversation, problems=(errors.OwnerStays,)
    ),
    "participants.mark_read": Operation(
        summary="Mark as read up to a seq",
        tag=PEOPLE,
        body=participants.MarkRead,
        answer=answers.Conversation,
        example={"seq": 12},
        description="Never backwards; the unread count follows.",
    ),
    "participants.tell_typing": Operation(
        summary="Tell that somebody types",
        tag=PEOPLE,
        status=202,
        body=participants.Typing,
        answer=answers.TypingTold,
        example={"isTyping": True, "username": "Ana"},
        description="Reaches who is connected and is never stored; at most one a second and user.",
    ),
    "participants.list_present": Operation(
        summary="List who is connected", tag=PEOPLE, is_list=True, answer=answers.Present
    ),
}
