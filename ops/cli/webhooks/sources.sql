-- name: newest
select coalesce(max(id), 0) as id from chat_events

-- name: read
-- Past the mark, and what was missing below it: ids are taken before they are committed (see realtime_bridge/event_log/cursor.py).
select e.id, e.event_id, e.type, e.seq, json_build_object(
    'type', e.type,
    'timestamp', crossfade.iso8601(e.created_at),
    'data', e.payload,
    'eventId', e.event_id,
    'seq', e.id,
    'conversationSeq', e.seq
)::text as body, e.account_id = %(account_id)s
    and %(patterns)s::text[] && array[e.type, split_part(e.type, '.', 1) || '.*', '*'] as wanted
from chat_events e
where e.id > %(after)s and not e.id = any(%(seen)s::bigint[])
order by e.id
limit 500
