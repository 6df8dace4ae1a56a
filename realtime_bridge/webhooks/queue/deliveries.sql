-- name: lock_due
-- Times are the statement's: clock_timestamp() is volatile, so no index could be asked about it.
-- Endpoints with something due; a lock that another sender holds is passed over. `full` are those whose slots, and
-- `full_accounts` those whose share this sender has taken itself. Accounts take turns, each with what is due longest
-- first: a hundred endpoints of one are not a claim of its own. Only what is due longest is looked at, up to a window;
-- when that is full, the first of each account as well, so nobody is behind it and the cost grows by account alone.
with recursive oldest as materialized (
    select q.webhook_id, q.account_id, q.due_at
    from public.webhook_queues q
    where q.due_at <= statement_timestamp() and q.health <> 'disabled'
        and not q.webhook_id = any(%(full)s) and not q.account_id = any(%(full_accounts)s)
    order by q.due_at
    limit %(window)s
), account (id) as (
    (
        select q.account_id from public.webhook_queues q
        where q.due_at < 'infinity' and (select count(*) from oldest) = %(window)s
        order by q.account_id limit 1
    )
    union all
    select (
        select q.account_id from public.webhook_queues q
        where q.due_at < 'infinity' and q.account_id > a.id
        order by q.account_id limit 1
    )
    from account a
    where a.id is not null
), due as materialized (
    select d.webhook_id, row_number() over (partition by d.account_id order by d.due_at) as turn
    from (
        select webhook_id, account_id, due_at from oldest
        union
        select first.webhook_id, a.id, first.due_at
        from account a
        cross join lateral (
            select q.webhook_id, q.due_at from public.webhook_queues q
            where q.account_id = a.id and q.due_at < 'infinity'  -- as the index says it
                and q.due_at <= statement_timestamp() and q.health <> 'disabled'
                and not q.webhook_id = any(%(full)s)
            order by q.due_at
            limit 1
        ) as first
        where not a.id = any(%(full_accounts)s)
    ) as d
    order by turn, d.due_at
    limit 2 * %(endpoints)s  -- another sender may hold as many
)
select q.webhook_id
from due
join public.webhook_queues q on q.webhook_id = due.webhook_id
where q.due_at <= statement_timestamp() and q.health <> 'disabled'
order by due.turn, q.due_at
limit %(endpoints)s
for no key update of q skip locked

-- name: claim
-- Moving next_at is the lease: what a dead sender had claimed comes back when it ends. Each endpoint gives what it has
-- room for: first what a dead sender left, then the early lane, then the late one; the late lane gets one place of its
-- own when its head has waited for half a minute. Under way counts what was claimed or renewed within half a lease: what
-- a dead sender had claimed holds no place for longer than that. `fence` says at settling whether the claim still holds.
-- Accounts take turns, each up to its share of this sender's places and of those of the late lane (places.py).
-- A row for each endpoint at least, so that the caller learns which had less than was asked of it.
with share as materialized (
    select s.account_id, s.slots, s.late_slots
    from unnest(%(accounts)s::uuid[], %(account_slots)s::integer[], %(account_late_slots)s::integer[])
        as s (account_id, slots, late_slots)
), room as materialized (
    select q.webhook_id, w.account_id, w.fifo, w.max_in_flight,
        least(coalesce(s.late_slots, %(newcomer_late_slots)s), %(late_limit)s) as late_slots,
        coalesce(s.slots, %(newcomer_slots)s) as account_slots,
        least(
            coalesce(s.slots, %(newcomer_slots)s),
            case when w.paused then 0 when q.consecutive_failures >= %(single_after)s then 1 else w.max_in_flight end - (
                select count(*) from public.webhook_deliveries d
                where d.webhook_id = q.webhook_id and d.state = 'sending'
                    and d.next_at > statement_timestamp() + make_interval(secs => %(lease_s)s / 2)
            ),
            case when w.max_per_second is null then %(limit)s else floor(
                least(w.max_per_second, q.tokens + w.max_per_second * extract(epoch from statement_timestamp() - q.tokens_at))
            ) end
        )::integer as room
    from public.webhook_queues q
    join public.chat_external_webhooks w on w.id = q.webhook_id
    left join share s on s.account_id = w.account_id
    where q.webhook_id = any(%(webhook_ids)s)
), candidates as materialized (
    select r.webhook_id, r.account_id, r.account_slots, r.late_slots, r.room, c.id, c.logged_at, c.lane, c.next_at, c.place
    from room r
    cross join lateral (
        (
            select d.id, d.logged_at, d.lane, d.next_at, 0 as place from public.webhook_deliveries d
            where d.webhook_id = r.webhook_id and d.state = 'sending' and d.next_at <= statement_timestamp()
            order by d.next_at limit greatest(r.room, 0)
        )
        union all
        (
            select late.id, late.logged_at, late.lane, late.next_at, case
                when row_number() over (order by late.next_at) > 1 then 4
                when late.next_at < statement_timestamp() - interval '30 seconds' then 1
                else 3
            end
            from (
                select d.id, d.logged_at, d.lane, d.next_at from public.webhook_deliveries d
                where d.webhook_id = r.webhook_id and d.state = 'open' and d.lane = 1 and d.next_at <= statement_timestamp()
                    and r.late_slots > 0
                    and not (d.fifo and exists (
                        select from public.webhook_deliveries h
                        where h.webhook_id = d.webhook_id and h.conversation_id = d.conversation_id and h.fifo
                            and h.state in ('open', 'sending') and h.log_id < d.log_id
                    ))
                order by d.next_at limit case when r.room > 0 then least(r.room, r.late_slots) + 1 else 0 end
            ) as late
        )
        union all
        (
            select d.id, d.logged_at, d.lane, d.next_at, 2 from public.webhook_deliveries d
            where d.webhook_id = r.webhook_id and d.state = 'open' and d.lane = 0 and d.next_at <= statement_timestamp()
                and not (d.fifo and exists (
                    select from public.webhook_deliveries h
                    where h.webhook_id = d.webhook_id and h.conversation_id = d.conversation_id and h.fifo
                        and h.state in ('open', 'sending') and h.log_id < d.log_id
                ))
            order by d.next_at limit greatest(r.room, 0)
        )
    ) as c
), found as (
    select webhook_id, count(*) as found from candidates group by webhook_id
), ranked as (
    select c.*, row_number() over (partition by c.webhook_id order by c.place, c.next_at) as turn
    from candidates c
), of_account as (
    select r.*,
        row_number() over (partition by r.account_id order by r.turn, r.place, r.next_at) as account_turn,
        count(*) filter (where r.lane = 1)
            over (partition by r.account_id order by r.turn, r.place, r.next_at, r.id rows unbounded preceding) as late_turn
    from ranked r
    where r.turn <= r.room
), shared as (
    select a.*, count(*) filter (where a.lane = 1)
        over (order by a.late_turn, a.next_at, a.id rows unbounded preceding) as late_of_all
    from of_account a
    where a.account_turn <= a.account_slots and (a.lane = 0 or a.late_turn <= a.late_slots)
), picked as materialized (
    select id, logged_at from shared
    where lane = 0 or late_of_all <= %(late_limit)s
    order by account_turn, turn, place, next_at
    limit %(limit)s
), claimed as (
    update public.webhook_deliveries d
    set state = 'sending', fence = d.fence + 1, next_at = statement_timestamp() + make_interval(secs => %(lease_s)s)
    from picked p
    where d.id = p.id and d.logged_at = p.logged_at
        -- Asked as a case, so that no index of open deliveries is taken for it: a million may be waiting.
        and case when d.state = 'open' then true else d.state = 'sending' and d.next_at <= statement_timestamp() end
    returning d.id, d.logged_at, d.webhook_id, d.event_id, d.log_id, d.conversation_id, d.seq, d.type, d.payload,
        d.lane, d.fifo, d.replay, d.attempts, d.fence
), spent as (
    update public.webhook_queues q
    set tokens_at = statement_timestamp(), tokens = least(
        w.max_per_second, q.tokens + w.max_per_second * extract(epoch from statement_timestamp() - q.tokens_at)
    ) - (select count(*) from claimed c where c.webhook_id = q.webhook_id)
    from public.chat_external_webhooks w
    where w.id = q.webhook_id and q.webhook_id = any(%(webhook_ids)s) and w.max_per_second is not null
)
select c.id, c.logged_at, r.webhook_id, r.account_id::text, c.event_id::text, c.type, c.lane, c.fifo, c.replay, c.attempts,
    c.fence, c.log_id, c.conversation_id, r.max_in_flight,
    coalesce(f.found, 0) < greatest(r.room, 1) as is_emptied,
    case when c.payload is not null then json_build_object(
        'type', c.type,
        'timestamp', crossfade.iso8601(c.logged_at),
        'data', c.payload,
        'eventId', c.event_id,
        'seq', c.log_id,
        'conversationSeq', c.seq
    )::text end as own_body
from room r
left join found f on f.webhook_id = r.webhook_id
left join claimed c on c.webhook_id = r.webhook_id

-- name: lock_empty
-- Whoever adds deliveries holds a share lock until it commits: with this lock had, nothing is on its way unseen.
select webhook_id from public.webhook_queues where webhook_id = any(%(webhook_ids)s) for update skip locked

-- name: rest_empty
-- A statement of its own, hence a snapshot taken after the lock. Something may be due and not claimable (no room, no
-- token, a conversation's head is being sent): then it is looked at again in a moment; while paused, when it is resumed.
update public.webhook_queues q
set due_at = case when w.paused then 'infinity' else greatest(q.not_before, statement_timestamp() + make_interval(secs => %(again_s)s), coalesce(least(
    (select min(d.next_at) from public.webhook_deliveries d where d.webhook_id = q.webhook_id and d.state = 'open' and d.lane = 0),
    (select min(d.next_at) from public.webhook_deliveries d where d.webhook_id = q.webhook_id and d.state = 'open' and d.lane = 1),
    (select min(d.next_at) from public.webhook_deliveries d where d.webhook_id = q.webhook_id and d.state = 'sending')
), 'infinity')) end
from public.chat_external_webhooks w
where w.id = q.webhook_id and q.webhook_id = any(%(webhook_ids)s)

-- name: hold_conversations
-- In a FIFO queue what follows a failed head is not looked at before the head is due again.
update public.webhook_deliveries d
set next_at = statement_timestamp() + make_interval(secs => h.delay_s)
from unnest(%(webhook_ids)s::bigint[], %(conversation_ids)s::bigint[], %(delays)s::float8[]) as h (webhook_id, conversation_id, delay_s)
where d.webhook_id = h.webhook_id and d.conversation_id = h.conversation_id and d.fifo and d.state = 'open'
    and d.next_at < statement_timestamp() + make_interval(secs => h.delay_s)

-- name: renew
-- Slow requests keep their claim while their sender lives.
update public.webhook_deliveries d
set next_at = statement_timestamp() + make_interval(secs => %(lease_s)s)
from unnest(%(ids)s::bigint[], %(logged_at)s::timestamptz[], %(fences)s::integer[]) as c (id, logged_at, fence)
where d.id = c.id and d.logged_at = c.logged_at and d.state = 'sending' and d.fence = c.fence

-- name: release
-- A sender that is stopped gives back what it has not sent.
update public.webhook_deliveries d
set state = 'open', next_at = statement_timestamp()
from unnest(%(ids)s::bigint[], %(logged_at)s::timestamptz[], %(fences)s::integer[]) as c (id, logged_at, fence)
where d.id = c.id and d.logged_at = c.logged_at and d.state = 'sending' and d.fence = c.fence
