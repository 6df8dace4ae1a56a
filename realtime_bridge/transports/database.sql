-- name: send
-- Ordered: rows reach subscribers in the order in which they are written to the log of Postgres.
select realtime.send(b.payload, b.event, b.topic, true)
from (
    select payload, event, topic
    from unnest(%(payloads)s::jsonb[], %(events)s::text[], %(topics)s::text[])
        with ordinality as batch (payload, event, topic, position)
    order by position
) as b

-- name: is_listening
-- Realtime reads its messages through a temporary slot: while it is not active, what is written is never broadcast.
select exists (
    select from pg_replication_slots
    where slot_name like 'supabase\_realtime\_messages\_replication\_slot%%' and active
)
