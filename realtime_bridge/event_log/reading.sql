-- name: read_page
-- One statement, so that the snapshot is the one the rows were read with; see cursor.py for why that matters. `bound`
-- is a transaction id taken after the snapshot, so every id missing on the page belongs to an older one. The snapshot's
-- own xmax does not promise that: it is one past the newest transaction that had ended. An empty page has no new holes.
-- `ahead` is what lies next in the log, and the page is taken from it in turns: the first event of each account, then the
-- second. Of an account the page has the lowest ids, so of a conversation, too. At least one event, however large.
-- Payloads come as text and are decoded one by one, and so are times that Python does not have: see event_of.
with ahead as materialized (
    select next.id, next.created_at, next.account_id
    from (
        (
            select e.id, e.created_at, e.account_id
            from public.chat_events e
            where e.id > %(high_water)s
            order by e.id
            limit %(look_ahead)s
        )
        union all
        select left_out.*
        from jsonb_to_recordset(%(holes)s) as hole (first bigint, last bigint)
        cross join lateral (
            select e.id, e.created_at, e.account_id
            from public.chat_events e
            where e.id between hole.first and hole.last
            order by e.id
            limit %(look_ahead)s
        ) as left_out
    ) as next
    order by next.id
    limit %(look_ahead)s
), ranked as (
    select a.id, a.created_at, row_number() over (partition by a.account_id order by a.id) as turn from ahead a
), first as materialized (
    select r.id, r.created_at, r.turn from ranked r order by r.turn, r.id limit %(limit)s
), sized as materialized (
    select f.turn, event.*
    from first f
    cross join lateral (
        select e.id, e.event_id, e.account_id, e.conversation_id, e.seq, e.type, e.payload::text as payload, e.origin,
            e.created_at
        from public.chat_events e
        where e.id = f.id and e.created_at = f.created_at
        limit 1
    ) as event
), page as materialized (
    select s.*
    from (
        select sized.*, sum(octet_length(sized.payload)) over (order by turn, id) - octet_length(sized.payload) as before
        from sized
    ) as s
    where s.before < %(page_bytes)s
)
select
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint as xmin,
    (
        select case
            when exists (select from page) then pg_current_xact_id()
            else pg_snapshot_xmax(pg_current_snapshot())
        end::text::bigint
    ) as bound,
    array(select distinct p.sink from public.parked_events p where p.replay_requested_at is not null) as replays,
    (select count(*) from ahead) = %(look_ahead)s as is_cut,
    (select count(*) from (select from ranked where turn = 1 limit 2) as seen) as accounts,
    (select max(id) from ahead) as last_ahead,
    (select min(a.id) from ahead a where not exists (select from page p where p.id = a.id)) as first_left,
    page.id, page.event_id, page.account_id, page.conversation_id, page.seq, page.type, page.payload, page.origin,
    case when page.created_at between '0001-01-02' and '9999-12-30' then page.created_at end as created_at,
    array(
        select p.user_id from public.conversation_participants p
        where p.conversation_id = page.conversation_id order by p.user_id
    ) as participants,
    exists (
        select from public.chat_account_settings s where s.account_id = page.account_id and s.content_html
    ) as wants_html
from (values (1)) as always (one)
left join page on true
order by page.turn, page.id
