-- name: park
-- Copied within the database: what cannot be read cannot be written, either. One that is parked already may be gone
-- from the log.
insert into public.parked_events
    (sink, id, event_id, account_id, conversation_id, seq, type, payload, origin, created_at, reason)
select %(sink)s, found.*, %(reason)s
from (
    select e.id, e.event_id, e.account_id, e.conversation_id, e.seq, e.type, e.payload, e.origin, e.created_at
    from public.chat_events e
    where e.id = %(id)s and e.event_id = %(event_id)s
    union all
    select p.id, p.event_id, p.account_id, p.conversation_id, p.seq, p.type, p.payload, p.origin, p.created_at
    from public.parked_events p
    where p.sink = %(sink)s and p.event_id = %(event_id)s
    limit 1
) as found
on conflict (sink, event_id) do update
set reason = excluded.reason, attempts = parked_events.attempts + 1, parked_at = clock_timestamp(),
    replay_requested_at = null

-- name: take_requested
-- In id order, so that a conversation's parked events are replayed in its order.
select
    p.id, p.event_id, p.account_id, p.conversation_id, p.seq, p.type, p.payload::text as payload, p.origin,
    case when p.created_at between '0001-01-02' and '9999-12-30' then p.created_at end as created_at,
    array(
        select c.user_id from public.conversation_participants c
        where c.conversation_id = p.conversation_id order by c.user_id
    ) as participants,
    exists (
        select from public.chat_account_settings s where s.account_id = p.account_id and s.content_html
    ) as wants_html
from public.parked_events p
where p.sink = %(sink)s and p.replay_requested_at is not null
order by p.id
limit %(limit)s

-- name: unpark
delete from public.parked_events where sink = %(sink)s and event_id = any(%(event_ids)s)

-- name: request_replay
-- Null means all: of every sink, or of every event.
update public.parked_events
set replay_requested_at = clock_timestamp()
where (%(sink)s::text is null or sink = %(sink)s)
    and (%(event_ids)s::uuid[] is null or event_id = any(%(event_ids)s))
returning sink, event_id

-- name: announce
select pg_notify('chat_events', '')

-- name: list_parked
select sink, id, event_id, account_id, conversation_id, seq, type, reason, attempts, parked_at, replay_requested_at
from public.parked_events
where %(sink)s::text is null or sink = %(sink)s
order by parked_at desc, sink, id
limit %(limit)s offset %(offset)s
