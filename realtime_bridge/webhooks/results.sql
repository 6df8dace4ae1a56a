-- name: settle
-- Only what the claim still holds. `notable`: a success of this endpoint would change what is known of it.
with result as (
    select r.id, r.logged_at, r.fence, r.state, r.lane, r.delay_s, r.counted
    from unnest(
        %(ids)s::bigint[], %(logged_at)s::timestamptz[], %(fences)s::integer[], %(states)s::text[],
        %(lanes)s::smallint[], %(delays)s::float8[], %(counted)s::integer[]
    ) as r (id, logged_at, fence, state, lane, delay_s, counted)
), settled as (
    update public.webhook_deliveries d
    set state = r.state, lane = r.lane, attempts = d.attempts + r.counted,
        replay = d.replay and r.state = 'open',
        next_at = statement_timestamp() + make_interval(secs => r.delay_s),
        settled_at = case when r.state = 'open' then null else statement_timestamp() end
    from result r
    where d.id = r.id and d.logged_at = r.logged_at and d.state = 'sending' and d.fence = r.fence
        and d.logged_at between %(first)s and %(last)s  -- leaves out most partitions once, not for each row
    returning d.id, d.fence, d.webhook_id
)
select s.id, s.fence, coalesce(
    q.consecutive_failures > 0 or q.health <> 'healthy' or q.last_success_at is null
        or q.last_success_at < statement_timestamp() - interval '5 seconds',
    false
) as notable
from settled s
left join public.webhook_queues q on q.webhook_id = s.webhook_id

-- name: log_attempts
copy public.webhook_attempts
    (webhook_id, delivery_id, event_id, type, number, replay, started_at, outcome, status, error, dns_ms, connect_ms,
     first_byte_ms, total_ms, response_headers, response_body, secret_ids)
from stdin
