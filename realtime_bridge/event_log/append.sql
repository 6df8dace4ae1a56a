-- name: append_message
-- One statement: number, row and event, under the conversation's row lock. The clock is read after the lock was had, so
-- times do not run backwards along seq; the event id is taken after it, because the event needs the conversation's row.
-- `updated_at` is the conversation's own in every change of a message, so a reader of events knows both from one.
with conversation as (
    update conversations set
        last_seq = last_seq + 1,
        last_message_at = clock_timestamp(),
        updated_at = clock_timestamp(),
        last_message_preview = crossfade.preview(%(content)s, %(message_type)s),
        unread_count = unread_count + %(unread)s
    where id = %(conversation_id)s and user_id = %(account_id)s
    returning id, user_id, last_seq, last_message_at, updated_at
), message as (
    insert into chat_messages (account_id, conversation_id, seq, event_id, direction, message_type, content, status,
        client_message_id, provider_message_id, sender_id, reply_to_id, metadata, attachments, created_at, updated_at)
    select user_id, id, last_seq, %(event_id)s, %(direction)s, %(message_type)s, %(content)s, %(status)s,
        %(client_message_id)s, %(provider_message_id)s, %(sender_id)s, %(reply_to_id)s,
        %(metadata)s::crossfade.metadata, %(attachments)s::jsonb, last_message_at, updated_at
    from conversation
    returning *
), event as (
    insert into chat_events (event_id, account_id, conversation_id, seq, type, payload, origin, created_at)
    select message.event_id, conversation.user_id, message.conversation_id, message.seq, 'message.new',
        crossfade.message_payload(message, message.event_id, message.seq), %(origin)s, message.created_at
    from message, conversation
    returning payload
)
select (payload ->> 'id')::bigint as id, payload::text as representation from event
