-- name: ensure_partitions
select crossfade.ensure_event_partitions(%(weeks_ahead)s) as changed

-- name: find_age_to_keep
-- Nothing that a sink has yet to deliver is dropped: retention waits for the slowest cursor that somebody holds, or held
-- within a retention's time. So a bridge that was down finds everything; a sink that was given up holds back no longer.
select greatest(
    make_interval(days => %(retention_days)s),
    now() - coalesce((
        select min(e.created_at) from public.chat_events e
        where e.id > (
            -- What was left for later, because other accounts had their turn, is in a hole below the mark.
            select min(least(r.high_water, hole.first - 1))
            from public.relay_cursors r
            left join lateral jsonb_to_recordset(r.holes) as hole (first bigint) on true
            where r.lease_until > now() - make_interval(days => %(retention_days)s)
        )
    ), now())
) as age

-- name: drop_expired
-- A statement of its own: what reads the log while it runs keeps every partition from being dropped.
select crossfade.drop_event_partitions(%(age)s) as changed

-- name: wake_conversations
-- Rows and events together; any number of bridges may ask at once.
select crossfade.wake_conversations(%(at_most)s) as woken

-- name: forget_answers
-- Answers kept for an Idempotency-Key, once nobody may ask for them; a batch, so that no row is locked for long.
delete from public.idempotency_records where id in (
    select id from public.idempotency_records where created_at < now() - interval '24 hours' limit %(at_most)s
)
