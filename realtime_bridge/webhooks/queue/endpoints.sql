-- name: load
-- What is needed to send: read anew for each claim, so a change applies to the next request.
select w.id, w.account_id, w.url, w.headers_sealed, w.compatibility_signature,
    coalesce((
        select jsonb_agg(jsonb_build_object('id', s.id, 'sealed', encode(s.sealed, 'base64')) order by s.id desc)
        from public.webhook_secrets s
        where s.webhook_id = w.id and (s.expires_at is null or s.expires_at > clock_timestamp())
    ), '[]') as secrets
from public.chat_external_webhooks w
where w.id = any(%(webhook_ids)s)

-- name: lock_conditions
-- In id order, so that two senders cannot deadlock.
select q.webhook_id, w.account_id, w.url, q.health, q.consecutive_failures, q.failing_since, q.warnings,
    nullif(q.not_before, '-infinity') as not_before, q.last_failure_at, q.last_error
from public.webhook_queues q
join public.chat_external_webhooks w on w.id = q.webhook_id
where q.webhook_id = any(%(webhook_ids)s)
order by q.webhook_id
for no key update of q

-- name: write_condition
update public.webhook_queues
set health = %(health)s::text,
    consecutive_failures = %(consecutive_failures)s,
    failing_since = %(failing_since)s,
    warnings = %(warnings)s,
    not_before = coalesce(%(not_before)s::timestamptz, '-infinity'),
    last_failure_at = %(last_failure_at)s,
    last_error = left(%(last_error)s::text, 500),
    disabled_at = case when %(health)s::text = 'disabled' then coalesce(disabled_at, clock_timestamp()) end,
    disabled_reason = case when %(health)s::text = 'disabled' then coalesce(disabled_reason, %(reason)s::text) end,
    due_at = case when %(health)s::text = 'disabled' then 'infinity'
        when %(consecutive_failures)s = 0 then clock_timestamp()
        else greatest(due_at, coalesce(%(not_before)s::timestamptz, '-infinity')) end
where webhook_id = %(webhook_id)s

-- name: note_success
-- Asked for when the last one was some seconds ago (see results.sql): not more often than a person would look. In id
-- order, so that two senders cannot deadlock.
with noted as (
    select webhook_id from public.webhook_queues
    where webhook_id = any(%(webhook_ids)s)
        and (last_success_at is null or last_success_at < clock_timestamp() - interval '5 seconds')
    order by webhook_id
    for no key update
)
update public.webhook_queues q set last_success_at = clock_timestamp()
from noted
where q.webhook_id = noted.webhook_id

-- name: bring_forward
-- There is something in these queues: look there when the first of it is due. In id order, as above.
with later as (
    select q.webhook_id, greatest(q.not_before, clock_timestamp() + make_interval(secs => r.delay_s)) as due_at
    from unnest(%(webhook_ids)s::bigint[], %(delays)s::float8[]) as r (webhook_id, delay_s)
    join public.webhook_queues q on q.webhook_id = r.webhook_id
    where q.health <> 'disabled'
        and q.due_at > greatest(q.not_before, clock_timestamp() + make_interval(secs => r.delay_s))
    order by q.webhook_id
    for no key update of q
)
update public.webhook_queues q
set due_at = later.due_at
from later
where q.webhook_id = later.webhook_id

-- name: append_notice
-- Kept for the API, and delivered to the account's other endpoints that want such notices.
with notice as (
    insert into public.webhook_notices (webhook_id, event_id, type, reason)
    values (%(webhook_id)s, %(event_id)s, %(type)s, %(reason)s)
    returning webhook_id, event_id, type, reason, created_at
), delivery as (
    insert into public.webhook_deliveries (webhook_id, account_id, event_id, logged_at, type, payload, next_at)
    select w.id, w.account_id, n.event_id, n.created_at, n.type, jsonb_build_object(
        'webhookId', n.webhook_id, 'url', %(url)s::text, 'reason', n.reason, 'at', crossfade.iso8601(n.created_at)
    ), clock_timestamp()
    from notice n
    join public.chat_external_webhooks w on w.account_id = %(account_id)s and w.id <> n.webhook_id
    join public.webhook_queues q on q.webhook_id = w.id
    where w.event_types && array[n.type, 'endpoint.*', '*'] and q.health <> 'disabled'
    for key share of q
    returning webhook_id
)
select webhook_id from delivery
