-- name: lock
-- One bridge measures; the lock ends with its connection, so a standby takes over when the bridge is gone.
select pg_try_advisory_lock(%(key)s)

-- name: ensure_user
insert into auth.users (id, aud, role, email) values (%(user_id)s, 'authenticated', 'authenticated', %(email)s)
on conflict (id) do nothing

-- name: find_conversation
select id from public.conversations where user_id = %(user_id)s order by id limit 1

-- name: create_conversation
insert into public.conversations (id, user_id, contact_jid, contact_name, channel)
overriding system value values (%(id)s, %(user_id)s, 'canary', 'Crossfade canary', 'canary')
returning id

-- name: ensure_participant
insert into public.conversation_participants (conversation_id, user_id, role)
values (%(conversation_id)s, %(user_id)s, 'owner')
on conflict do nothing

-- name: append
-- As append_message of the log, under the conversation's row lock; but for the row of the message, which would stand
-- among the customers' and take of their ids.
with conversation as (
    update public.conversations set last_seq = last_seq + 1
    where id = %(conversation_id)s
    returning id, user_id, last_seq, clock_timestamp() as at
)
insert into public.chat_events (event_id, account_id, conversation_id, seq, type, payload, created_at)
select %(event_id)s, c.user_id, c.id, c.last_seq, 'message.new', crossfade.message_payload(
    jsonb_populate_record(null::public.chat_messages, jsonb_build_object(
        'id', -c.last_seq, 'conversation_id', c.id, 'seq', c.last_seq, 'version', 1, 'content', 'canary',
        'direction', 'outgoing', 'message_type', 'text', 'status', 'pending', 'metadata', '{}'::jsonb,
        'attachments', '[]'::jsonb, 'sender_id', c.user_id, 'created_at', c.at, 'updated_at', c.at
    )), %(event_id)s, c.last_seq
), c.at
from conversation c
returning seq

-- name: settled
-- Which of these events a sink says it has dealt with: below its mark, in no hole, not parked.
select e.seq
from public.chat_events e
join public.relay_cursors r on r.sink = %(sink)s
where e.conversation_id = %(conversation_id)s and e.seq = any(%(seqs)s) and e.id <= r.high_water
    and not exists (
        select from jsonb_to_recordset(r.holes) as hole (first bigint, last bigint)
        where e.id between hole.first and hole.last
    )
    and not exists (select from public.parked_events p where p.sink = r.sink and p.event_id = e.event_id)

-- name: forget
-- What the canary wrote is nobody's history. The log keeps what a sink has not dealt with yet. Messages are of the
-- version before, which wrote them as everybody's.
with messages as (
    delete from public.chat_messages where conversation_id = %(conversation_id)s
)
delete from public.chat_events
where conversation_id = %(conversation_id)s and created_at < now() - make_interval(secs => %(age_s)s)
    and id <= (
        select min(least(r.high_water, hole.first - 1))
        from public.relay_cursors r
        left join lateral jsonb_to_recordset(r.holes) as hole (first bigint) on true
        where r.lease_until > now()
    )
