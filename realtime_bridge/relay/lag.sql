-- name: read
-- Counted up to a bound: a sink that nobody runs any more must not cost a scan of the whole log. Below the mark, what
-- was left for later because other accounts had their turn is in the holes.
select r.sink, r.consecutive_failures, lag.events, coalesce(lag.seconds, 0)::float8 as seconds, parked.events as parked
from public.relay_cursors r
cross join lateral (
    select count(*) as events, extract(epoch from clock_timestamp() - min(behind.created_at)) as seconds
    from (
        (select e.created_at from public.chat_events e where e.id > r.high_water order by e.id limit 10000)
        union all
        (
            select e.created_at
            from jsonb_to_recordset(r.holes) as hole (first bigint, last bigint)
            join public.chat_events e on e.id between hole.first and hole.last
            limit 10000
        )
    ) as behind
) as lag
cross join lateral (
    select count(*) as events from public.parked_events p where p.sink = r.sink
) as parked
