-- name: lock_queues
-- Share locks: fan-out and senders do not wait for each other, only "this queue is empty" has to.
select q.webhook_id, w.account_id
from public.chat_external_webhooks w
join public.webhook_queues q on q.webhook_id = w.id
where w.account_id = any(%(accounts)s) and q.health <> 'disabled'
order by q.webhook_id
for key share of q

-- name: fan_out
-- All events of a page for all endpoints that want them, each under the name that it is wanted by.
insert into public.webhook_deliveries
    (webhook_id, account_id, event_id, log_id, logged_at, conversation_id, seq, type, fifo, next_at)
select w.id, e.account_id, e.event_id, e.log_id, e.logged_at, e.conversation_id, e.seq,
    crossfade.webhook_type(w.event_types, e.type, e.direction), w.fifo, statement_timestamp()
from unnest(
    %(log_ids)b::bigint[], %(logged_at)b::timestamptz[], %(event_ids)b::uuid[], %(account_ids)b::uuid[],
    %(conversation_ids)b::bigint[], %(seqs)b::bigint[], %(types)b::text[],
    %(directions)b::text[]
) as e (log_id, logged_at, event_id, account_id, conversation_id, seq, type, direction)
join public.chat_external_webhooks w on w.account_id = e.account_id
where w.id = any(%(webhook_ids)s)
    and crossfade.webhook_type(w.event_types, e.type, e.direction) is not null
order by e.log_id

-- name: announce
-- After the insert, and never before the end of a rest. Locked in id order, as senders do when they settle.
with resting as (
    select q.webhook_id from public.webhook_queues q
    where q.webhook_id = any(%(webhook_ids)s) and q.due_at > greatest(q.not_before, statement_timestamp())
    order by q.webhook_id
    for no key update
), due as (
    update public.webhook_queues q
    set due_at = greatest(q.not_before, statement_timestamp())
    from resting
    where q.webhook_id = resting.webhook_id
)
select pg_notify('webhook_deliveries', '')
