"""Messages and their files, described."""

from gateway import errors
from gateway.openapi.operations import answers
from gateway.openapi.operations.operation import Operation, from_body
from gateway.v1.schemas import attachments, messages
from gateway.v1.schemas import imports as changes
from gateway.v1.schemas import messages as schemas

TAG = "Messages"
FILES = "Attachments"
_FOLLOWS = {
    name: from_body(conversation_id="conversationId", message_id="id")
    for name in (
        "messages.get_message",
        "messages.edit_message",
        "messages.change_status",
        "messages.list_versions",
        "messages.delete_message",
    )
}
_FILE = {
    "attachments.confirm_attachment": from_body(attachment_id="id"),
    "attachments.get_attachment": from_body(attachment_id="id"),
}

OPERATIONS = {
    "messages.send_message": Operation(
        summary="Send a message",
        tag=TAG,
        status=201,
        body=schemas.SendMessage,
        answer=answers.Message,
        example={"content": "Hello", "clientMessageId": "order-17-confirmed"},
        problems=(errors.ClientMessageIdReused, errors.AttachmentTaken, errors.AttachmentNotUploaded),
        follows=_FOLLOWS,
        description="Answers after message and event are stored together. With `clientMessageId` a resend returns the"
        " first answer. Content is stored as sent.",
    ),
    "messages.list_messages": Operation(
        summary="List messages",
        tag=TAG,
        is_list=True,
        query=schemas.ListMessages,
        answer=answers.Message,
        description="Always ascending by seq: the newest page, the one before `before_seq`, or the one after"
        " `after_seq`; both exclusive.",
    ),
    "messages.get_message": Operation(
        summary="Get a message", tag=TAG, query=schemas.ShowMessages, answer=answers.Message
    ),
    "messages.edit_message": Operation(
        summary="Edit a message",
        tag=TAG,
        body=messages.EditMessage,
        answer=answers.Message,
        if_match="required",
        example={"content": "Hello again"},
        problems=(errors.MessageDeleted,),
        description="Sets `editedAt`, keeps what it said before, appends `message.updated`.",
    ),
    "messages.delete_message": Operation(
        summary="Delete a message",
        tag=TAG,
        answer=answers.Message,
        if_match="optional",
        description="Empties it and sets `deletedAt`; its place stays. Appends `message.deleted`.",
    ),
    "messages.list_versions": Operation(
        summary="List what a message said before",
        tag=TAG,
        is_list=True,
        query=schemas.ListVersions,
        answer=answers.MessageVersion,
        description="Oldest first.",
    ),
    "messages.change_status": Operation(
        summary="Move a message's status",
        tag=TAG,
        body=schemas.ChangeStatus,
        answer=answers.Message,
        example={"status": "delivered", "providerMessageId": "3EB06F9067F80BAB89FF"},
        problems=(errors.StatusConflict, errors.ProviderIdConflict, errors.MessageDeleted),
        description="Forward only: pending, sent, delivered, read; `failed` before anything was delivered.",
    ),
    "messages.search_messages": Operation(
        summary="Search messages",
        tag=TAG,
        is_list=True,
        query=messages.SearchMessages,
        answer=answers.FoundMessage,
        description="All words must occur, each as the beginning of a word. Newest first.",
    ),
    "imports.import_messages": Operation(
        summary="Import messages",
        tag=TAG,
        body=changes.ImportMessages,
        answer=answers.Imported,
        mentions=(changes.ImportMessage,),
        example={
            "messages": [{"content": "Hi", "direction": "incoming", "createdAt": "2020-01-01T10:00:00Z"}],
            "announce": False,
        },
        description="Up to 500, each an [ImportMessage](/docs/schemas#ImportMessage) with its own `createdAt` and its"
        " own result: one that is wrong leaves the others alone. Events only with `announce`; then each message counts"
        " as one that is sent, and 429 tells how many fit (`remaining`). A repeat with the same `Idempotency-Key` is"
        " not counted again; messages that turn out to be duplicates by `clientMessageId` are, so repeat with the key.",
    ),
    "attachments.create_attachment": Operation(
        summary="Announce a file",
        tag=FILES,
        status=201,
        body=attachments.CreateAttachment,
        answer=answers.NewAttachment,
        example={"fileName": "invoice.pdf", "contentType": "application/pdf", "sizeBytes": 52311},
        problems=(errors.NotConfigured,),
        follows=_FILE,
        description="Then put the bytes to `upload.url`, confirm, and send a message with the id.",
    ),
    "attachments.confirm_attachment": Operation(
        summary="Confirm an upload",
        tag=FILES,
        answer=answers.AttachmentState,
        problems=(errors.AttachmentNotUploaded, errors.AttachmentRejected, errors.NotConfigured),
        description="The type is told from the bytes, not from the name.",
    ),
    "attachments.get_attachment": Operation(
        summary="Get a file's state and URL",
        tag=FILES,
        answer=answers.ShownAttachment,
        problems=(errors.NotConfigured,),
    ),
}
