-- name: list
select w.id, w.account_id, w.url, w.description, w.event_types, w.paused, q.health, q.consecutive_failures,
    q.failing_since, q.last_success_at, q.last_failure_at, q.last_error, q.disabled_reason,
    case when not w.paused and q.health <> 'disabled' then (
        select greatest(min(soonest.next_at), q.not_before)
        from (values (0), (1)) as lanes (lane)
        cross join lateral (
            select d.next_at from webhook_deliveries d
            where d.webhook_id = w.id and d.lane = lanes.lane and d.state = 'open'
            order by d.next_at
            limit 1
        ) as soonest
        having count(*) > 0
    ) end as next_attempt_at,
    (
        select count(*) from (
            select from webhook_deliveries d where d.webhook_id = w.id and d.state in ('open', 'sending') limit 10000
        ) as counted
    ) as waiting
from chat_external_webhooks w
join webhook_queues q on q.webhook_id = w.id
where (%(account_id)s::uuid is null or w.account_id = %(account_id)s)
order by w.id

-- name: attempts
-- The next attempt stands beside the latest one of its delivery: of those before it, it is history.
select crossfade.webhook_attempt_shown(a) || jsonb_build_object('nextAttemptAt', (
    select crossfade.iso8601(greatest(d.next_at, q.not_before))
    from webhook_deliveries d
    where d.id = a.delivery_id and d.state = 'open' and d.attempts = a.number and d.replay = a.replay
        and not w.paused and q.health <> 'disabled'
)) as attempt
from webhook_attempts a
join chat_external_webhooks w on w.id = a.webhook_id
join webhook_queues q on q.webhook_id = a.webhook_id
where a.webhook_id = %(webhook_id)s
    and (%(outcome)s::text is null or a.outcome = %(outcome)s)
    and a.started_at >= coalesce(%(since)s::timestamptz, '-infinity')
order by a.started_at desc, a.id desc
limit %(limit)s
