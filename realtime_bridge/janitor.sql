-- name: ensure_partitions
select crossfade.ensure_event_partitions(%(weeks_ahead)s) as changed

-- name: drop_expired
-- Nothing that a sink has yet to deliver is dropped: retention waits for the slowest cursor that somebody holds.
select crossfade.drop_event_partitions(greatest(
    make_interval(days => %(retention_days)s),
    now() - coalesce((
        select min(e.created_at) from public.chat_events e
        where e.id > (select min(high_water) from public.relay_cursors where lease_until > now())
    ), now())
)) as changed

-- name: wake_conversations
-- Rows and events together; any number of bridges may ask at once.
select crossfade.wake_conversations(%(at_most)s) as woken
