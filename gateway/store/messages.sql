-- name: find_first_answer
-- What the first send with this id was answered, and whether this send says the same. The log holds the words of that
-- moment; when its partition is gone, the row as it is now stands in.
select
    said.payload::text as representation,
    said.payload ->> 'content' = %(content)s
        and said.payload ->> 'direction' = %(direction)s
        and said.payload ->> 'messageType' = %(message_type)s
        and said.payload ->> 'senderId' is not distinct from %(sender_id)s
        and (said.payload ->> 'replyToId')::bigint is not distinct from %(reply_to_id)s
        and said.payload -> 'metadata' = %(metadata)s::jsonb as same
from conversations c
join chat_messages m on m.conversation_id = c.id
left join chat_events e on e.conversation_id = m.conversation_id and e.seq = m.seq
cross join lateral (
    select coalesce(e.payload, crossfade.message_payload(m, m.event_id, m.seq)) as payload
) as said
where c.id = %(conversation_id)s and c.user_id = %(account_id)s and m.client_message_id = %(client_message_id)s

-- name: list_newest
-- The newest messages within the bounds, ascending; no row at all when the account has no such conversation.
select page.representations, page.seqs, (
    select count(*) from (
        select from chat_messages m where m.conversation_id = c.id limit %(at_most)s
    ) as counted
) as total
from conversations c
cross join lateral (
    select array_agg(representation order by seq) as representations, array_agg(seq order by seq) as seqs
    from (
        select m.seq, crossfade.message_payload(m, m.event_id, m.seq)::text as representation
        from chat_messages m
        where m.conversation_id = c.id and m.seq > %(after_seq)s and m.seq < %(before_seq)s
        order by m.seq desc
        limit %(fetch)s
    ) as newest
) as page
where c.id = %(conversation_id)s and c.user_id = %(account_id)s

-- name: list_following
-- The same from the other end: the messages that follow `after_seq`.
select page.representations, page.seqs, (
    select count(*) from (
        select from chat_messages m where m.conversation_id = c.id limit %(at_most)s
    ) as counted
) as total
from conversations c
cross join lateral (
    select array_agg(representation order by seq) as representations, array_agg(seq order by seq) as seqs
    from (
        select m.seq, crossfade.message_payload(m, m.event_id, m.seq)::text as representation
        from chat_messages m
        where m.conversation_id = c.id and m.seq > %(after_seq)s and m.seq < %(before_seq)s
        order by m.seq
        limit %(fetch)s
    ) as following
) as page
where c.id = %(conversation_id)s and c.user_id = %(account_id)s

-- name: lock_conversation
-- First lock of every change to a message: conversation, then message, everywhere.
select id from conversations where id = %(conversation_id)s and user_id = %(account_id)s for no key update

-- name: find_status
-- Under the conversation's lock, so it stays as read.
select status, provider_message_id, direction, crossfade.message_payload(m, m.event_id, m.seq)::text as representation
from chat_messages m
where m.conversation_id = %(conversation_id)s and m.id = %(message_id)s

-- name: append_status
-- The next number, the row's new status and the event of both.
with conversation as (
    update conversations set
        last_seq = last_seq + 1,
        updated_at = clock_timestamp(),
        unread_count = greatest(0, unread_count - %(read)s)
    where id = %(conversation_id)s and user_id = %(account_id)s
    returning id, user_id, last_seq, updated_at
), message as (
    update chat_messages m set
        status = %(status)s,
        provider_message_id = coalesce(%(provider_message_id)s, m.provider_message_id),
        updated_at = conversation.updated_at
    from conversation
    where m.conversation_id = conversation.id and m.id = %(message_id)s
    returning m.*
), event as (
    insert into chat_events (event_id, account_id, conversation_id, seq, type, payload, created_at)
    select %(event_id)s, conversation.user_id, conversation.id, conversation.last_seq, 'message.status',
        crossfade.message_payload(message, %(event_id)s, conversation.last_seq), conversation.updated_at
    from message, conversation
)
select crossfade.message_payload(message, message.event_id, message.seq)::text from message
