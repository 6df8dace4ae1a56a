-- name: find_closed
-- Whose sockets are to be closed since a moment, the longest ago first, and which of their tokens count no more.
select user_id, closed_at, extract(epoch from ended_at)::float8 as ended_at
from public.chat_evictions
where closed_at > %(since)s
order by closed_at

-- name: find_now
select clock_timestamp() as now

-- name: find_gone
-- Those that the project does not have any more.
select asked.id from unnest(%(user_ids)s::uuid[]) as asked (id)
where not exists (select from auth.users u where u.id = asked.id)
