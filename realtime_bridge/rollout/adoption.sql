-- name: sides
-- By provider; a user of several accounts is one.
with told as (
    select s.provider, count(distinct s.user_id) as told,
        count(distinct s.user_id) filter (where s.told_at >= d.since) as asked,
        count(distinct s.user_id) filter (where s.source = 'pin') as pinned
    from public.rollout_sessions s join public.rollout_stages d on d.flag = %(flag)s
    where s.expires_at > now()
    group by s.provider
), heard as (
    select 'socketio' as provider, count(distinct l.user_id) filter (
            where l.sockets > 0 and r.seen_at > clock_timestamp() - make_interval(secs => %(alive_s)s)
        ) as connected,
        max(case when l.sockets > 0 then coalesce(r.seen_at, l.heard_at) else l.heard_at end) as last_heard
    from public.legacy_listeners l left join public.bridge_reports r on r.bridge = l.bridge
    where l.user_id <> %(canary_id)s
    union all
    select 'supabase', null, max(s.told_at) from public.rollout_sessions s where s.provider = 'supabase'
)
select heard.provider, coalesce(told.told, 0) as told, coalesce(told.asked, 0) as asked,
    coalesce(told.pinned, 0) as pinned, heard.connected, heard.last_heard
from heard left join told on told.provider = heard.provider

-- name: list_left
with listening as (
    select l.user_id,
        coalesce(sum(l.sockets) filter (
            where r.seen_at > clock_timestamp() - make_interval(secs => %(alive_s)s)
        ), 0) as sockets,
        max(case when l.sockets > 0 then coalesce(r.seen_at, l.heard_at) else l.heard_at end) as heard_at
    from public.legacy_listeners l left join public.bridge_reports r on r.bridge = l.bridge
    where l.user_id <> %(canary_id)s
    group by l.user_id
), answered as (
    select s.user_id,
        max(s.expires_at) filter (where s.provider = 'supabase') as on_supabase_until,
        bool_or(s.provider = 'socketio' and s.expires_at > now()) as is_told_legacy,
        max(s.told_at) as told_at,
        (array_agg(s.provider order by s.told_at desc))[1] as told
    from public.rollout_sessions s
    group by s.user_id
), left_behind as (
    select user_id, coalesce(l.sockets, 0)::integer as sockets, l.heard_at, a.told, a.told_at
    from listening l full join answered a using (user_id)
    where coalesce(a.is_told_legacy, false) or (
        (l.sockets > 0 or l.heard_at > now() - make_interval(secs => %(left_for_s)s))
        and (a.on_supabase_until is null or a.on_supabase_until < l.heard_at)
    )
)
select b.user_id, u.email, b.sockets, b.heard_at, b.told, b.told_at, count(*) over ()::integer as total
from left_behind b left join auth.users u on u.id = b.user_id
order by b.sockets desc, b.heard_at desc nulls last, b.user_id
limit %(limit)s
