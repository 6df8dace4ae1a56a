-- name: append_conversation
-- Conversation, participants and event in one statement: they exist together or not at all.
with conversation as (
    insert into conversations (user_id, contact_jid, contact_name, channel, status, assigned_agent_id, assigned_bot_id)
    values (%(account_id)s, %(contact_jid)s, %(contact_name)s, %(channel)s, %(status)s, %(assigned_agent_id)s,
        %(assigned_bot_id)s)
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
), event as (
    insert into chat_events (event_id, account_id, conversation_id, seq, type, payload)
    select %(event_id)s, user_id, id, 0, 'conversation.new', crossfade.conversation_payload(conversation, %(event_id)s, 0)
    from conversation
)
select
    c.id,
    (
        crossfade.conversation_payload(c, null, null) - 'seq' - 'eventId'
        || jsonb_build_object('lastSeq', c.last_seq, 'participants', (
            select jsonb_agg(jsonb_build_object(
                'userId', p.user_id, 'role', p.role, 'lastReadSeq', p.last_read_seq,
                'joinedAt', crossfade.iso8601(p.joined_at)
            ) order by p.role <> 'owner', p.user_id)
            from people p
        ))
    )::text as representation
from conversation c

-- name: find_unknown_users
-- Which of these ids no user has.
select u.id from unnest(%(user_ids)s::uuid[]) as u (id)
where not exists (select from auth.users where auth.users.id = u.id)

-- name: find_conversation
select (
    crossfade.conversation_payload(c, null, null) - 'seq' - 'eventId'
    || jsonb_build_object('lastSeq', c.last_seq, 'participants', (
        select coalesce(jsonb_agg(jsonb_build_object(
            'userId', p.user_id, 'role', p.role, 'lastReadSeq', p.last_read_seq,
            'joinedAt', crossfade.iso8601(p.joined_at)
        ) order by p.role <> 'owner', p.user_id), '[]')
        from conversation_participants p
        where p.conversation_id = c.id
    ))
)::text as representation
from conversations c
where c.id = %(conversation_id)s and c.user_id = %(account_id)s

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
        and (%(assigned_to)s::uuid is null or c.assigned_agent_id = %(assigned_to)s)
        and (coalesce(c.last_message_at, c.created_at), c.id) < (
            coalesce(
                timestamptz 'epoch' + %(sort_us)s::bigint / 1000000 * interval '1 second'
                    + %(sort_us)s::bigint %% 1000000 * interval '1 microsecond',
                'infinity'
            ),
            coalesce(%(before_id)s::bigint, 9223372036854775807)
        )
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
        and (%(assigned_to)s::uuid is null or c.assigned_agent_id = %(assigned_to)s)
    limit %(at_most)s
) as counted
