-- name: send
-- What realtime.send does for one row, with an id of ours, which arrives as `meta.id`. Ordered: rows reach subscribers in
-- the order in which they are written to the log of Postgres. An id that this transaction has sent already is a repeat.
-- Answers who reads them, also of nothing. Realtime reads its messages through a temporary slot, one for each connection:
-- its name and the process that serves it. Until a position is confirmed the slot is still being made, and what commits
-- meanwhile is never broadcast.
with written as (
    insert into realtime.messages (id, topic, extension, payload, event, private)
    select id, topic, 'broadcast', payload, event, true
    from unnest(%(ids)b::uuid[], %(topics)b::text[], %(payloads)b::jsonb[], %(events)b::text[])
        with ordinality as batch (id, topic, payload, event, position)
    order by position
    on conflict do nothing
)
select coalesce(array_agg(slot_name || ':' || active_pid), '{}')
from pg_replication_slots
where slot_name like 'supabase\_realtime\_messages\_replication\_slot%%'
    and database = current_database()
    and active
    and confirmed_flush_lsn is not null
