-- name: account
select account_id from chat_external_webhooks where id = %(webhook_id)s

-- name: kept
-- What a paused endpoint keeps, counted as far as `list` counts; no row while it is not paused.
select (
    select count(*) from (
        select from webhook_deliveries d where d.webhook_id = w.id and d.state in ('open', 'sending') limit 10000
    ) as counted
) as waiting
from chat_external_webhooks w
where w.id = %(webhook_id)s and w.paused

-- name: deliveries_of_event
select id, event_id from webhook_deliveries where webhook_id = %(webhook_id)s and event_id = any(%(event_ids)s::uuid[])
order by id
