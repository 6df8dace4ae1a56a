-- name: list
select w.id, w.account_id, w.url, w.description, w.event_types, w.paused, q.health, q.consecutive_failures,
    q.failing_since, q.last_success_at, q.last_error, q.disabled_reason,
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
select crossfade.webhook_attempt_shown(a) as attempt
from webhook_attempts a
where a.webhook_id = %(webhook_id)s
    and (%(outcome)s::text is null or a.outcome = %(outcome)s)
    and a.started_at >= coalesce(%(since)s::timestamptz, '-infinity')
order by a.started_at desc, a.id desc
limit %(limit)s

-- name: account
select account_id from chat_external_webhooks where id = %(webhook_id)s

-- name: deliveries_of_event
select id, event_id from webhook_deliveries where webhook_id = %(webhook_id)s and event_id = any(%(event_ids)s::uuid[])
order by id

-- name: owner_of_demo
select id from auth.users where email = 'agent@example.com'
