-- name: find_known
-- What an import may meet: clientMessageIds that are taken, and which reply targets there are.
select m.id, m.client_message_id from chat_messages m
where m.conversation_id = %(conversation_id)s
    and (m.client_message_id = any(%(client_message_ids)s) or m.id = any(%(reply_to_ids)s))

-- name: find_oversized
-- By their places in the list: a cast would refuse all of them for one.
select item.place - 1
from jsonb_array_elements(%(metadata)s::jsonb) with ordinality as item (metadata, place)
where not crossfade.is_bounded(item.metadata)

-- name: import_messages
-- Rows with the numbers they were given; with their events if these were asked for.
with wanted as (
    select item.*, gen_random_uuid() as event_id
    from jsonb_to_recordset(%(items)s::jsonb) as item (
        index integer, seq bigint, direction text, message_type text, content text, status text,
        client_message_id text, provider_message_id text, sender_id text, reply_to_id bigint, metadata jsonb,
        created_at timestamptz
    )
), message as (
    insert into chat_messages (account_id, conversation_id, seq, event_id, direction, message_type, content, status,
        client_message_id, provider_message_id, sender_id, reply_to_id, metadata, created_at, updated_at)
    select %(account_id)s, %(conversation_id)s, seq, event_id, direction, message_type, content, status,
        client_message_id, provider_message_id, sender_id, reply_to_id, metadata, created_at, %(updated_at)s
    from wanted
    order by seq
    returning *
), event as (
    insert into chat_events (event_id, account_id, conversation_id, seq, type, payload, origin, created_at)
    select m.event_id, %(account_id)s, m.conversation_id, m.seq, 'message.new',
        crossfade.message_payload(m, m.event_id, m.seq), 'import', clock_timestamp()
    from message m
    where %(announce)s
    order by m.seq
)
select wanted.index, m.id, m.seq from message m join wanted on wanted.seq = m.seq

-- name: count_imported
-- Before announced messages are stored, which take the numbers up to the new last one, and its time.
update conversations set
    last_seq = %(last_seq)s,
    updated_at = clock_timestamp(),
    last_message_at = %(last_message_at)s,
    last_message_preview = %(last_message_preview)s,
    unread_count = %(unread_count)s
where id = %(conversation_id)s
returning updated_at
