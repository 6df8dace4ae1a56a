-- name: read_page
-- One statement, so that the snapshot is the one the rows were read with; see cursor.py for why that matters. `bound`
-- is a transaction id taken after the snapshot, so every id missing on the page belongs to an older one. The snapshot's
-- own xmax does not promise that: it is one past the newest transaction that had ended. An empty page has no new holes.
with page as (
    select e.id, e.event_id, e.account_id, e.conversation_id, e.seq, e.type, e.payload, e.origin, e.created_at
    from public.chat_events e
    where e.id > %(high_water)s
    union all
    select e.id, e.event_id, e.account_id, e.conversation_id, e.seq, e.type, e.payload, e.origin, e.created_at
    from jsonb_to_recordset(%(holes)s) as hole (first bigint, last bigint)
    join public.chat_events e on e.id between hole.first and hole.last
    order by id
    limit %(limit)s
)
select
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint as xmin,
    (
        select case
            when exists (select from page) then pg_current_xact_id()
            else pg_snapshot_xmax(pg_current_snapshot())
        end::text::bigint
    ) as bound,
    exists (
        select from public.parked_events p where p.sink = %(sink)s and p.replay_requested_at is not null
    ) as replay_requested,
    page.id, page.event_id, page.account_id, page.conversation_id, page.seq, page.type, page.payload, page.origin,
    page.created_at,
    array(
        select p.user_id from public.conversation_participants p
        where p.conversation_id = page.conversation_id order by p.user_id
    ) as participants,
    exists (
        select from public.chat_account_settings s where s.account_id = page.account_id and s.content_html
    ) as wants_html
from (values (1)) as always (one)
left join page on true
order by page.id
