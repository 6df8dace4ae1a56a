-- name: find_first_answer
-- What the first send with this id was answered, and whether this send says the same. The log holds the words of that
-- moment; when its partition is gone, the row as it is now stands in. A type that is not said follows from the attachments.
select
    m.id,
    said.payload::text as representation,
    said.payload ->> 'content' = %(content)s
        and said.payload ->> 'direction' = %(direction)s
        and said.payload ->> 'messageType' = coalesce(%(message_type)s, said.payload ->> 'messageType')
        and said.payload ->> 'senderId' is not distinct from %(sender_id)s
        and (said.payload ->> 'replyToId')::bigint is not distinct from %(reply_to_id)s
        and said.payload -> 'metadata' = %(metadata)s::jsonb
        and jsonb_path_query_array(said.payload, '$.attachments[*].id') = to_jsonb(%(attachment_ids)s::uuid[]) as same
from conversations c
join chat_messages m on m.conversation_id = c.id
left join chat_events e on e.conversation_id = m.conversation_id and e.seq = m.seq
cross join lateral (
    select coalesce(e.payload, crossfade.message_payload(m, m.event_id, m.seq)) as payload
) as said
where c.id = %(conversation_id)s and c.user_id = %(account_id)s and m.client_message_id = %(client_message_id)s

-- name: list_messages
-- The newest messages within the bounds, or those that follow `after_seq`, ascending; no row at all when the account has
-- no such conversation. One of the two ways is taken, because the direction decides from which end the index is read: a
-- choice in `order by` would sort the whole conversation.
select page.representations, page.seqs, (
    select count(*) from (
        select from chat_messages m where m.conversation_id = c.id limit %(at_most)s
    ) as counted
) as total
from conversations c
cross join lateral (
    select array_agg(representation order by seq) as representations, array_agg(seq order by seq) as seqs
    from (
        (
            select m.seq, crossfade.message_payload(m, m.event_id, m.seq)::text as representation
            from chat_messages m
            where %(newest)s and m.conversation_id = c.id and m.seq > %(after_seq)s and m.seq < %(before_seq)s
            order by m.seq desc
            limit %(fetch)s
        )
        union all
        (
            select m.seq, crossfade.message_payload(m, m.event_id, m.seq)::text
            from chat_messages m
            where not %(newest)s and m.conversation_id = c.id and m.seq > %(after_seq)s and m.seq < %(before_seq)s
            order by m.seq
            limit %(fetch)s
        )
    ) as shown
) as page
where c.id = %(conversation_id)s and c.user_id = %(account_id)s

-- name: find_message
select crossfade.message_payload(m, m.event_id, m.seq)::text as representation, m.id, m.version
from conversations c
join chat_messages m on m.conversation_id = c.id
where c.id = %(conversation_id)s and c.user_id = %(account_id)s and m.id = %(message_id)s

-- name: find_for_change
-- Under the conversation's lock, so it stays as read.
select m.id, m.version, m.status, m.provider_message_id, m.content, m.metadata, m.attachments,
    m.deleted_at is not null as is_deleted, crossfade.is_unread(m, %(read_seq)s) as is_unread,
    crossfade.message_payload(m, m.event_id, m.seq)::text as representation
from chat_messages m
where m.conversation_id = %(conversation_id)s and m.id = %(message_id)s

-- name: find_preview
-- Of the newest message that was not deleted; none leaves null.
select crossfade.preview(m.content, m.message_type) from chat_messages m
where m.conversation_id = %(conversation_id)s and m.deleted_at is null
order by m.seq desc limit 1

-- name: list_versions
-- What the message said before, oldest first.
select jsonb_build_object('version', v.version, 'content', v.content, 'metadata', v.metadata,
    'attachments', v.attachments, 'replacedBy', v.replaced_by, 'replacedAt', crossfade.iso8601(v.replaced_at))::text
    as representation, v.version as id
from chat_message_versions v
where v.message_id = %(message_id)s and v.version > %(after)s
order by v.version
limit %(fetch)s

-- name: append_change
-- An edit, a deletion or a new status: the next number, the words kept aside if others replace them, the row as it is now,
-- and the event. What is null stays.
with conversation as (
    update conversations set last_seq = last_seq + 1, updated_at = clock_timestamp()
    where id = %(conversation_id)s
    returning id, user_id, last_seq, updated_at
), kept as (
    insert into chat_message_versions (message_id, version, content, metadata, attachments, replaced_by, replaced_at)
    select m.id, m.version, m.content, m.metadata, m.attachments, %(replaced_by)s::text, conversation.updated_at
    from chat_messages m, conversation
    where m.id = %(message_id)s and %(replaced_by)s::text is not null
), message as (
    update chat_messages m set
        status = coalesce(%(status)s, m.status),
        provider_message_id = coalesce(%(provider_message_id)s, m.provider_message_id),
        content = coalesce(%(content)s, m.content),
        metadata = coalesce(%(metadata)s::crossfade.metadata, m.metadata),
        attachments = coalesce(%(attachments)s::jsonb, m.attachments),
        edited_at = case when %(replaced_by)s::text = 'edit' then conversation.updated_at else m.edited_at end,
        deleted_at = case when %(replaced_by)s::text = 'deletion' then conversation.updated_at else m.deleted_at end,
        updated_at = conversation.updated_at
    from conversation
    where m.conversation_id = conversation.id and m.id = %(message_id)s
    returning m.*
), event as (
    insert into chat_events (event_id, account_id, conversation_id, seq, type, payload, created_at)
    select %(event_id)s, conversation.user_id, conversation.id, conversation.last_seq, %(type)s,
        crossfade.message_payload(message, %(event_id)s, conversation.last_seq), conversation.updated_at
    from message, conversation
)
select crossfade.message_payload(message, message.event_id, message.seq)::text as representation, message.id,
    message.version
from message
