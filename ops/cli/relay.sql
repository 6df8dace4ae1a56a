-- name: status
select
    c.sink,
    case when c.lease_until > clock_timestamp() then c.lease_owner end as held_by,
    r.provider,
    (r.sinks -> c.sink ->> 'isFed')::boolean as is_fed,
    (r.sinks -> c.sink ->> 'since')::timestamptz as fed_since,
    c.breaker,
    c.consecutive_failures,
    case when c.retry_at > clock_timestamp() then extract(epoch from c.retry_at - clock_timestamp())::float8 end
        as retry_in_s,
    c.last_error,
    c.last_error_at,
    case when c.lease_until > clock_timestamp() then c.waiting_for end as waiting_for,
    c.sent_again,
    c.sent_again_at,
    c.high_water,
    c.delivered_count,
    c.last_delivered_at,
    (select coalesce(sum(h.last - h.first + 1), 0)::bigint
     from jsonb_to_recordset(c.holes) as h (first bigint, last bigint)) - left_over.events as holes,
    above.events + left_over.events as lag_events,
    extract(epoch from clock_timestamp() - least(above.oldest, left_over.oldest))::float8 as lag_s,
    (select count(*) from public.parked_events p where p.sink = c.sink) as parked
from public.relay_cursors c
left join public.bridge_reports r on r.bridge = c.lease_owner and c.lease_until > clock_timestamp()
    and r.seen_at > clock_timestamp() - make_interval(secs => %(alive_s)s)
cross join lateral (
    select count(*) as events, min(e.created_at) as oldest from public.chat_events e where e.id > c.high_water
) as above
-- Left for later, because other accounts had their turn: seen, not settled, hence in the holes.
cross join lateral (
    select count(*) as events, min(e.created_at) as oldest
    from jsonb_to_recordset(c.holes) as h (first bigint, last bigint)
    join public.chat_events e on e.id between h.first and h.last
) as left_over
order by c.sink
