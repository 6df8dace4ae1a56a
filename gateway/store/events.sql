-- name: read_events
-- One statement, so that all of it is seen by one snapshot; event_cursors.py has the proof. `late` are events below the
-- mark whose writers had not ended when the cursor was made, `scanned` what is above it. The transaction id is taken after
-- the snapshot, and only when the cursor moves: a consumer that waits costs none. The plan is made once, without knowing
-- the values (see `Database`), so the order leaves it one index each: by writer for `+ 0`, by account for the two bounds
-- that are one. In the order of ids alone it may walk through everybody's events, or all of an account's. `shown` is what
-- of it fits into a page; the first always does.
with late as materialized (
    select of_writer.id, of_writer.created_at, of_writer.type
    from unnest(%(firsts)s::bigint[], %(lasts)s::bigint[]) as writer (first, last)
    cross join lateral (
        select e.id, e.created_at, e.type
        from public.chat_events e
        where e.account_id = %(account_id)s
            and e.xid between writer.first::text::xid8 and writer.last::text::xid8
            and e.id + 0 <= %(high_water)s
        order by e.id + 0
        limit %(limit)s
    ) as of_writer
    order by of_writer.id
    limit %(limit)s
), scanned as materialized (
    select e.id, e.created_at, e.type
    from public.chat_events e
    where e.account_id >= %(account_id)s and e.account_id <= %(account_id)s and e.id > %(high_water)s
    order by e.account_id, e.id
    limit %(scan)s
), fresh as materialized (
    select s.id, s.created_at
    from scanned s
    where %(types)s::text[] is null or s.type = any(%(types)s::text[])
    order by s.id
    limit (select greatest(0, %(limit)s - count(*)) from late)
), head as materialized (
    select
        (select coalesce(max(e.id), 0) from public.chat_events e) as newest,
        (select f.id from crossfade.event_floor f) as floor,
        (select count(*) from late) as late_count,
        (select max(l.id) from late l) as last_late,
        (select count(*) from fresh) as fresh_count,
        (select max(f.id) from fresh f) as last_fresh,
        (select count(*) from scanned) as scanned_count,
        (select max(s.id) from scanned s) as last_scanned
), chosen as (
    select l.id, l.created_at from late l
    where %(types)s::text[] is null or l.type = any(%(types)s::text[])
    union all
    select f.id, f.created_at from fresh f
), rendered as materialized (
    select e.id, jsonb_build_object(
        'type', e.type,
        'timestamp', crossfade.iso8601(e.created_at),
        'data', e.payload,
        'eventId', e.event_id,
        'seq', e.id,
        'conversationSeq', e.seq
    )::text as representation
    from chosen c
    join public.chat_events e on e.id = c.id and e.created_at = c.created_at
), shown as materialized (
    select summed.id, summed.representation
    from (
        select r.id, r.representation, sum(octet_length(r.representation)) over (order by r.id) as size,
            row_number() over (order by r.id) as place
        from rendered r
    ) as summed
    where summed.size <= %(page_bytes)s or summed.place = 1
)
select
    h.newest, h.floor, h.late_count, h.last_late, h.fresh_count, h.last_fresh, h.scanned_count, h.last_scanned,
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint as xmax,
    array(select x::text::bigint from pg_snapshot_xip(pg_current_snapshot()) as x) as in_progress,
    case when h.newest > %(high_water)s or h.late_count > 0 then pg_current_xact_id()::text::bigint end as next_xid,
    (select max(s.id) from shown s) as last_shown,
    (select count(*) from shown) < (select count(*) from rendered) as is_cut,
    (select array_agg(s.representation order by s.id) from shown s) as representations
from head h

-- name: find_ends
-- The oldest and the newest place to begin at, with what must be known to resume at the newest.
select
    (select f.id from crossfade.event_floor f) as floor,
    (select coalesce(max(e.id), 0) from public.chat_events e) as newest,
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint as xmax,
    array(select x::text::bigint from pg_snapshot_xip(pg_current_snapshot()) as x) as in_progress,
    pg_current_xact_id()::text::bigint as next_xid
