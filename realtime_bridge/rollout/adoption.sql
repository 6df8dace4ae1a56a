-- name: sides
-- By provider; a user of several accounts is one. Grouped before it is joined: bridges are few, and users are not.
with told as (
    select provider, count(*) as told, count(*) filter (where has_asked) as asked
    from (
        select s.provider, s.user_id,
            bool_or(s.told_at >= (select since from public.rollout_stages where flag = %(flag)s)) as has_asked
        from public.rollout_sessions s
        where s.expires_at > now()
        group by s.provider, s.user_id
    ) as users
    group by provider
), connected as (
    select count(distinct l.user_id) as users, coalesce(sum(l.sockets), 0) as sockets, coalesce(sum(l.moved), 0) as moved
    from public.legacy_listeners l
    where l.sockets > 0 and l.user_id <> %(canary_id)s and l.bridge = any(array(
        select r.bridge from public.bridge_reports r
        where r.seen_at > clock_timestamp() - make_interval(secs => %(alive_s)s)
    ))
), by_bridge as (
    select l.bridge, max(l.heard_at) as heard_at, bool_or(l.sockets > 0) as is_open
    from public.legacy_listeners l
    where l.user_id <> %(canary_id)s
    group by l.bridge
), heard as (
    select 'socketio' as provider, c.users as connected, c.sockets, c.moved, (
        select nullif(max(greatest(b.heard_at, case when b.is_open then r.seen_at end)), '-infinity')
        from by_bridge b left join public.bridge_reports r on r.bridge = b.bridge
    ) as last_heard
    from connected c
    union all
    select 'supabase', null, null, null, max(s.told_at) from public.rollout_sessions s where s.provider = 'supabase'
)
select heard.provider, coalesce(told.told, 0) as told, coalesce(told.asked, 0) as asked,
    heard.connected, heard.sockets, heard.moved, heard.last_heard
from heard left join told on told.provider = heard.provider

-- name: list_left
-- Everybody is counted; of the few who are named it is looked up who they are, and what they were told last.
with bridges as materialized (
    select r.bridge, r.seen_at, r.seen_at > clock_timestamp() - make_interval(secs => %(alive_s)s) as is_alive
    from public.bridge_reports r
), heard as (
    -- An open socket is heard as long as its bridge is.
    select l.user_id, case when r.is_alive then l.sockets - l.moved else 0 end as sockets,
        case when r.is_alive then l.unasked else 0 end as unasked,
        case when l.unasked > 0 then coalesce(r.seen_at, l.heard_at) else l.heard_at end as heard_at
    from public.legacy_listeners l left join bridges r on r.bridge = l.bridge
    where l.user_id <> %(canary_id)s
), left_behind as (
    select h.user_id from heard h
    where h.sockets > 0 or h.heard_at > now() - make_interval(secs => %(left_for_s)s)
    union
    select s.user_id from public.rollout_sessions s where s.provider = 'socketio' and s.expires_at > now()
), users as (
    select b.user_id, coalesce(sum(h.sockets), 0)::integer as sockets, coalesce(sum(h.unasked), 0)::integer as unasked,
        nullif(max(h.heard_at), '-infinity') as heard_at
    from left_behind b left join heard h on h.user_id = b.user_id
    group by b.user_id
), counted as (
    select count(*)::integer as total, sum(sockets)::integer as total_sockets,
        count(*) filter (where sockets = 0)::integer as total_away
    from users
), named as (
    select * from users order by sockets desc, heard_at desc nulls last, user_id limit %(limit)s
)
select n.user_id, u.email, n.sockets, n.unasked, n.heard_at as last_heard, latest.told, latest.told_at,
    counted.total, counted.total_sockets, counted.total_away
from counted cross join named n
left join auth.users u on u.id = n.user_id
left join lateral (
    select s.provider as told, s.told_at from public.rollout_sessions s
    where s.user_id = n.user_id order by s.told_at desc limit 1
) as latest on true
order by n.sockets desc, n.heard_at desc nulls last, n.user_id
