-- name: lock_account
-- Counting and inserting must not race: one creation of an account at a time.
select pg_advisory_xact_lock(hashtextextended('webhooks ' || %(account_id)s::text, 0))

-- name: count_webhooks
select count(*) from chat_external_webhooks where account_id = %(account_id)s

-- name: insert_webhook
with webhook as (
    insert into chat_external_webhooks (account_id, url, description, event_types, headers_sealed, header_names,
        max_in_flight, max_per_second, fifo, compatibility_signature)
    values (%(account_id)s, %(url)s, %(description)s, %(event_types)s, %(headers_sealed)s, %(header_names)s,
        %(max_in_flight)s, %(max_per_second)s, %(fifo)s, %(compatibility_signature)s)
    returning *
), queue as (
    insert into webhook_queues (webhook_id) select id from webhook returning *
)
select w.id, crossfade.webhook_shown(w, q)::text as representation from webhook w, queue q

-- name: list_some
-- All of the account, or one.
select crossfade.webhook_shown(w, q)::text
from chat_external_webhooks w
join webhook_queues q on q.webhook_id = w.id
where w.account_id = %(account_id)s and w.id = coalesce(%(webhook_id)s, w.id)
order by w.id

-- name: lock_settings
-- Everything that changes an endpoint begins here: it belongs to the account, and nobody else changes it meanwhile.
select w.url, w.description, w.event_types, w.headers_sealed, w.header_names, w.max_in_flight, w.max_per_second, w.fifo,
    w.compatibility_signature
from chat_external_webhooks w
where w.id = %(webhook_id)s and w.account_id = %(account_id)s
for no key update

-- name: write_settings
update chat_external_webhooks
set url = %(url)s, description = %(description)s, event_types = %(event_types)s, headers_sealed = %(headers_sealed)s,
    header_names = %(header_names)s, max_in_flight = %(max_in_flight)s, max_per_second = %(max_per_second)s,
    fifo = %(fifo)s, compatibility_signature = %(compatibility_signature)s, updated_at = now()
where id = %(webhook_id)s

-- name: write_paused
update chat_external_webhooks set paused = %(paused)s, updated_at = now() where id = %(webhook_id)s

-- name: delete_webhook
-- Its queue and secrets go along; what was still to be delivered is never claimed without the queue.
delete from chat_external_webhooks where id = %(webhook_id)s and account_id = %(account_id)s returning id

-- name: lock_queue
-- How long ago it was enabled is told by the database's clock, which all gateways share.
select health, extract(epoch from clock_timestamp() - enabled_at)::float8 as enabled_for_s
from webhook_queues where webhook_id = %(webhook_id)s for no key update

-- name: enable
update webhook_queues
set health = 'healthy', consecutive_failures = 0, failing_since = null, warnings = 0, not_before = '-infinity',
    disabled_at = null, disabled_reason = null, enabled_at = clock_timestamp(), due_at = clock_timestamp()
where webhook_id = %(webhook_id)s

-- name: insert_secret
insert into webhook_secrets (webhook_id, sealed, hint) values (%(webhook_id)s, %(sealed)s, %(hint)s)
returning jsonb_build_object(
    'id', id, 'hint', hint, 'createdAt', crossfade.iso8601(created_at), 'expiresAt', crossfade.iso8601(expires_at)
)::text

-- name: expire_secrets
-- Those that are live without an end get one; an end that is sooner stays.
update webhook_secrets
set expires_at = least(expires_at, clock_timestamp() + make_interval(secs => %(overlap_s)s))
where webhook_id = %(webhook_id)s and (expires_at is null or expires_at > clock_timestamp())

-- name: list_secrets
select jsonb_build_object(
    'id', s.id, 'hint', s.hint, 'createdAt', crossfade.iso8601(s.created_at), 'expiresAt', crossfade.iso8601(s.expires_at)
)::text
from webhook_secrets s
join chat_external_webhooks w on w.id = s.webhook_id
where w.id = %(webhook_id)s and w.account_id = %(account_id)s
    and (s.expires_at is null or s.expires_at > clock_timestamp())
order by s.id desc

-- name: find_live_secrets
select id from webhook_secrets
where webhook_id = %(webhook_id)s and (expires_at is null or expires_at > clock_timestamp())

-- name: delete_secret
delete from webhook_secrets where webhook_id = %(webhook_id)s and id = %(secret_id)s

-- name: list_notices
select jsonb_build_object(
    'id', n.id, 'webhookId', n.webhook_id, 'eventId', n.event_id, 'type', n.type, 'reason', n.reason,
    'createdAt', crossfade.iso8601(n.created_at)
)::text
from webhook_notices n
join chat_external_webhooks w on w.id = n.webhook_id
where w.id = %(webhook_id)s and w.account_id = %(account_id)s
order by n.id desc
limit 100
