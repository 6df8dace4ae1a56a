-- name: send
-- What realtime.send does for one row, with an id of ours, which arrives as `meta.id`. Ordered: rows reach subscribers in
-- the order in which they are written to the log of Postgres. An id that this transaction has sent already is a repeat.
insert into realtime.messages (id, topic, extension, payload, event, private)
select id, topic, 'broadcast', payload, event, true
from unnest(%(ids)s::uuid[], %(topics)s::text[], %(payloads)s::jsonb[], %(events)s::text[])
    with ordinality as batch (id, topic, payload, event, position)
order by position
on conflict do nothing

-- name: is_listening
-- Realtime reads its messages through a temporary slot: while it is not active, what is written is never broadcast.
select exists (
    select from pg_replication_slots
    where slot_name like 'supabase\_realtime\_messages\_replication\_slot%%' and active
)
