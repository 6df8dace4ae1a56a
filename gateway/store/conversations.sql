-- name: append_conversation
-- Conversation, participants and event in one statement: they exist together or not at all.
with conversation as (
    insert into conversations (user_id, contact_jid, contact_name, channel, status, priority, assigned_agent_id,
        assigned_bot_id)
    values (%(account_id)s, %(contact_jid)s, %(contact_name)s, %(channel)s, %(status)s, %(priority)s,
        %(assigned_agent_id)s, %(assigned_bot_id)s)
    returning *
), people as (
    insert into conversation_participants (conversation_id, user_id, role)
    select conversation.id, person.user_id, person.role
    from conversation, (
        select %(account_id)s::uuid, 'owner'
        union all
        select * from unnest(%(user_ids)s::uuid[], %(roles)s::text[])
    ) as person (user_id, role)
    returning user_id, role, last_read_seq, joined_at
), participants as (
    select jsonb_build_object('participants', jsonb_agg(jsonb_build_object(
        'userId', p.user_id, 'role', p.role, 'lastReadSeq', p.last_read_seq, 'joinedAt', crossfade.iso8601(p.joined_at)
    ) order by p.role <> 'owner', p.user_id)) as shown
    from people p
), event as (
    insert into chat_events (event_id, account_id, conversation_id, seq, type, payload)
    select %(event_id)s, c.user_id, c.id, 0, 'conversation.new',
        crossfade.conversation_payload(c, %(event_id)s, 0) || participants.shown
    from conversation c, participants
)
select
    c.id,
    (
        crossfade.conversation_payload(c, null, null) - 'seq' - 'eventId'
        || jsonb_build_object('lastSeq', c.last_seq) || participants.shown
    )::text as representation
from conversation c, participants

-- name: find_conversation
select (
    crossfade.conversation_payload(c, null, null) - 'seq' - 'eventId'
    || jsonb_build_object('lastSeq', c.last_seq, 'participants', crossfade.participants_json(c.id))
)::text as representation, c.id, c.last_seq
from conversations c
where c.id = %(conversation_id)s and c.user_id = %(account_id)s

-- name: lock_conversation
-- First lock of every change: conversation, then message, everywhere. What it reads stays true until the end.
select contact_jid, contact_name, status, priority, snoozed_until, assigned_agent_id, assigned_bot_id,
    last_message_at, last_message_preview, unread_count, read_seq, first_seq, last_seq
from conversations
where id = %(conversation_id)s and user_id = %(account_id)s
for no key update

-- name: append_update
-- The next number, the conversation as it is now, and the event that says so; with the participants if they changed.
with conversation as (
    update conversations set
        last_seq = last_seq + 1,
        updated_at = clock_timestamp(),
        contact_jid = %(contact_jid)s,
        contact_name = %(contact_name)s,
        status = %(status)s,
        priority = %(priority)s,
        snoozed_until = %(snoozed_until)s,
        assigned_agent_id = %(assigned_agent_id)s,
        assigned_bot_id = %(assigned_bot_id)s,
        last_message_at = %(last_message_at)s,
        last_message_preview = %(last_message_preview)s,
        unread_count = %(unread_count)s,
        read_seq = %(read_seq)s,
        first_seq = %(first_seq)s
    where id = %(conversation_id)s
    returning *
), event as (
    insert into chat_events (event_id, account_id, conversation_id, seq, type, payload, created_at)
    select %(event_id)s, c.user_id, c.id, c.last_seq, %(type)s,
        crossfade.conversation_payload(c, %(event_id)s, c.last_seq) || case when %(with_participants)s
            then jsonb_build_object('participants', crossfade.participants_json(c.id)) else '{}' end,
        c.updated_at
    from conversation c
)
select (
    crossfade.conversation_payload(c, null, null) - 'seq' - 'eventId'
    || jsonb_build_object('lastSeq', c.last_seq, 'participants', crossfade.participants_json(c.id))
)::text as representation, c.id, c.last_seq
from conversation c

-- name: list_conversations
-- Latest activity first. `fetch` is one more than the page shows, which tells whether there is a next one. Chosen first
-- and represented after, so that what a page skips is not represented, too.
select
    (
        crossfade.conversation_payload(c, null, null) - 'seq' - 'eventId' || jsonb_build_object('lastSeq', c.last_seq)
    )::text as representation,
    (extract(epoch from coalesce(c.last_message_at, c.created_at)) * 1000000)::bigint as sort_us,
    c.id
from (
    select c.id, coalesce(c.last_message_at, c.created_at) as sort_time
    from conversations c
    where c.user_id = %(account_id)s
        and (%(status)s::text is null or c.status = %(status)s)
        and (%(priority)s::text is null or c.priority = %(priority)s)
        and (%(assigned_to)s::uuid is null or c.assigned_agent_id = %(assigned_to)s)
        and (%(channel)s::text is null or c.channel = %(channel)s)
        and (%(unread)s::boolean is null or (c.unread_count > 0) = %(unread)s)
        and (%(updated_since)s::timestamptz is null or c.updated_at >= %(updated_since)s)
        and (coalesce(c.last_message_at, c.created_at), c.id) < (%(before_at)s::timestamptz, %(before_id)s::bigint)
    order by coalesce(c.last_message_at, c.created_at) desc, c.id desc
    limit %(fetch)s offset %(skip)s
) as chosen
join conversations c on c.id = chosen.id
order by chosen.sort_time desc, chosen.id desc

-- name: count_conversations
-- Stops at `at_most`: counting a million rows to show fifty would cost more than showing them.
select count(*) from (
    select from conversations c
    where c.user_id = %(account_id)s
        and (%(status)s::text is null or c.status = %(status)s)
        and (%(priority)s::text is null or c.priority = %(priority)s)
        and (%(assigned_to)s::uuid is null or c.assigned_agent_id = %(assigned_to)s)
        and (%(channel)s::text is null or c.channel = %(channel)s)
        and (%(unread)s::boolean is null or (c.unread_count > 0) = %(unread)s)
        and (%(updated_since)s::timestamptz is null or c.updated_at >= %(updated_since)s)
    limit %(at_most)s
) as counted
