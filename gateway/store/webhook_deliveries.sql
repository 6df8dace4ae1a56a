-- name: insert_delivery
-- Of what is not in the log: a ping, a test event.
with delivery as (
    insert into webhook_deliveries (webhook_id, account_id, event_id, logged_at, type, payload, next_at)
    values (%(webhook_id)s, %(account_id)s, %(event_id)s, clock_timestamp(), %(type)s, %(payload)s::jsonb, clock_timestamp())
    returning *
)
select crossfade.webhook_delivery_shown(d)::text from delivery d

-- name: announce
-- In the transaction of the insert and after it; never before the end of a rest.
with due as (
    update webhook_queues set due_at = greatest(not_before, clock_timestamp())
    where webhook_id = %(webhook_id)s and health <> 'disabled'
)
select pg_notify('webhook_deliveries', '')

-- name: list_deliveries
-- Newest first; `fetch` is one more than the page shows.
select crossfade.webhook_delivery_shown(d)::text as representation,
    (extract(epoch from d.logged_at) * 1000000)::bigint as sort_us, d.id
from webhook_deliveries d
where d.webhook_id = %(webhook_id)s and d.account_id = %(account_id)s
    and (%(state)s::text is null or case when d.state = 'sending' then 'open' else d.state end = %(state)s)
    and (%(type)s::text is null or d.type = %(type)s)
    and d.logged_at >= coalesce(%(since)s::timestamptz, '-infinity')
    and d.logged_at < coalesce(%(until)s::timestamptz, 'infinity')
    and (d.logged_at, d.id) < (%(before_at)s::timestamptz, %(before_id)s::bigint)
order by d.logged_at desc, d.id desc
limit %(fetch)s

-- name: find_delivery
-- Never locked: who writes results has locked the row and waits for the queue, which a caller may have.
select (crossfade.webhook_delivery_shown(d) || jsonb_build_object('attemptLog', (
    select coalesce(jsonb_agg(crossfade.webhook_attempt_shown(a) order by a.number, a.id), '[]')
    from (
        select a.* from webhook_attempts a where a.delivery_id = d.id and a.webhook_id = d.webhook_id
        order by a.id desc limit 50
    ) as a
)))::text
from webhook_deliveries d
where d.id = %(delivery_id)s and d.webhook_id = %(webhook_id)s and d.account_id = %(account_id)s

-- name: replay
-- One more attempt, in the late lane; one that is open already is left as it is.
update webhook_deliveries
set state = 'open', replay = true, lane = 1, next_at = clock_timestamp(), settled_at = null
where id = %(delivery_id)s and webhook_id = %(webhook_id)s and account_id = %(account_id)s
    and state in ('delivered', 'failed')

-- name: reopen_failed
-- All attempts again, from the first on.
with failed as (
    select d.id, d.logged_at from webhook_deliveries d
    left join chat_events e on e.id = d.log_id and e.created_at = d.logged_at
    where d.webhook_id = %(webhook_id)s and d.account_id = %(account_id)s and d.state = 'failed'
        and d.logged_at >= %(since)s and d.logged_at < %(until)s and d.log_id is not null
        and (%(types)s::text[] = '{}' or d.type = any(%(types)s::text[]) or crossfade.webhook_type(
            %(types)s::text[], coalesce(e.type, d.type), e.payload ->> 'direction'
        ) is not null)
    order by d.logged_at, d.id
    limit %(limit)s
), reopened as (
    update webhook_deliveries d
    set state = 'open', replay = false, lane = 1, attempts = 0, next_at = clock_timestamp(), settled_at = null
    from failed f
    where d.id = f.id and d.logged_at = f.logged_at and d.state = 'failed'
    returning d.id
)
select count(*) from reopened

-- name: insert_missing
-- Events since the endpoint was made that were never queued for it: it was disabled, or did not want the type. Not those
-- that the sink has still to deal with: past its mark, or in a hole below it.
with missing as (
    select e.id, e.event_id, e.account_id, e.conversation_id, e.seq, e.created_at, w.fifo,
        crossfade.webhook_type(w.event_types, e.type, e.payload ->> 'direction') as type
    from chat_events e
    join chat_external_webhooks w on w.id = %(webhook_id)s and w.account_id = e.account_id
    where e.account_id = %(account_id)s and e.created_at >= %(since)s and e.created_at < %(until)s
        and e.created_at >= w.created_at
        and e.id <= (select c.high_water from relay_cursors c where c.sink = 'webhooks')
        and not exists (
            select from relay_cursors c cross join jsonb_to_recordset(c.holes) as h (first bigint, last bigint)
            where c.sink = 'webhooks' and e.id between h.first and h.last
        )
        and crossfade.webhook_type(w.event_types, e.type, e.payload ->> 'direction') is not null
        and (%(types)s::text[] = '{}'
            or crossfade.webhook_type(%(types)s::text[], e.type, e.payload ->> 'direction') is not null)
        and not exists (
            select from webhook_deliveries d
            where d.webhook_id = %(webhook_id)s and d.logged_at = e.created_at and d.event_id = e.event_id
        )
    order by e.id
    limit %(limit)s
), inserted as (
    insert into webhook_deliveries
        (webhook_id, account_id, event_id, log_id, logged_at, conversation_id, seq, type, lane, fifo, next_at)
    select %(webhook_id)s, m.account_id, m.event_id, m.id, m.created_at, m.conversation_id, m.seq, m.type, 1, m.fifo,
        clock_timestamp()
    from missing m
    order by m.id
    returning id
)
select count(*) from inserted

-- name: end_rest
-- Its owner says that it is well: what waited for the end of a rest waits no longer.
update webhook_queues set not_before = '-infinity' where webhook_id = %(webhook_id)s

-- name: find_state
-- Not locked: who writes results has locked the row and waits for the queue, which the caller has.
select state from webhook_deliveries
where id = %(delivery_id)s and webhook_id = %(webhook_id)s and account_id = %(account_id)s

-- name: bring_one_forward
-- In its lane, with the attempts it has had. Of a FIFO endpoint what is older in its conversation, too, oldest first: the
-- claim sends nothing out of order, and what a failed head holds back keeps its own time after the head has arrived.
with wanted as materialized (
    select d.id, d.logged_at, d.conversation_id, d.log_id, d.fifo from webhook_deliveries d
    where d.id = %(delivery_id)s and d.webhook_id = %(webhook_id)s and d.account_id = %(account_id)s
), older as materialized (
    select d.id, d.logged_at
    from wanted w
    join webhook_deliveries d on d.conversation_id = w.conversation_id and d.log_id < w.log_id
    where w.fifo and d.webhook_id = %(webhook_id)s and d.fifo and d.state in ('open', 'sending')
    order by d.log_id
    limit %(limit)s
)
update webhook_deliveries d
set next_at = clock_timestamp()
from (select id, logged_at from wanted union all select id, logged_at from older) as due
where d.id = due.id and d.logged_at = due.logged_at and d.state = 'open' and d.next_at > clock_timestamp()

-- name: bring_forward
-- Those that wait for their time are due now; the attempts they have had still count.
with waiting as (
    select d.id, d.logged_at from webhook_deliveries d
    where d.webhook_id = %(webhook_id)s and d.account_id = %(account_id)s and d.state = 'open'
        and d.next_at > clock_timestamp()
    order by d.next_at, d.id
    limit %(limit)s
), due as (
    update webhook_deliveries d set next_at = clock_timestamp()
    from waiting w
    where d.id = w.id and d.logged_at = w.logged_at and d.state = 'open'
    returning d.id
)
select count(*) from due

-- name: list_attempts
select crossfade.webhook_attempt_shown(a)::text as representation,
    (extract(epoch from a.started_at) * 1000000)::bigint as sort_us, a.id
from webhook_attempts a
join chat_external_webhooks w on w.id = a.webhook_id
where w.id = %(webhook_id)s and w.account_id = %(account_id)s
    and (%(outcome)s::text is null or a.outcome = %(outcome)s)
    and (%(type)s::text is null or a.type = %(type)s)
    and a.started_at >= coalesce(%(since)s::timestamptz, '-infinity')
    and a.started_at < coalesce(%(until)s::timestamptz, 'infinity')
    and (a.started_at, a.id) < (%(before_at)s::timestamptz, %(before_id)s::bigint)
order by a.started_at desc, a.id desc
limit %(fetch)s
