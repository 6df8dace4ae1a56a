-- name: sides
-- By provider; a user of several accounts is one. Grouped before it is joined: bridges are few, and users are not.
with told as (
    select provider, count(*) as told, count(*) filter (where has_asked) as asked,
        count(*) filter (where is_pinned) as pinned
    from (
        select s.provider, s.user_id,
            bool_or(s.told_at >= (select since from public.rollout_stages where flag = %(flag)s)) as has_asked,
            coalesce(bool_or(s.source = 'pin'), false) as is_pinned
        from public.rollout_sessions s
        where s.expires_at > now()
        group by s.provider, s.user_id
    ) as users
    group by provider
), connected as (
    select l.user_id from public.legacy_listeners l
    where l.sockets > 0 and l.user_id <> %(canary_id)s and l.bridge = any(array(
        select r.bridge from public.bridge_reports r
        where r.seen_at > clock_timestamp() - make_interval(secs => %(alive_s)s)
    ))
    group by l.user_id
), by_bridge as (
    select l.bridge, max(l.heard_at) filter (where l.sockets > 0) as open_since,
        max(l.heard_at) filter (where l.sockets = 0) as gone_at
    from public.legacy_listeners l
    where l.user_id <> %(canary_id)s
    group by l.bridge
), heard as (
    select 'socketio' as provider, (select count(*) from connected) as connected,
        max(greatest(b.gone_at, case when b.open_since is not null then coalesce(r.seen_at, b.open_since) end))
            as last_heard
    from by_bridge b left join public.bridge_reports r on r.bridge = b.bridge
    union all
    select 'supabase', null, max(s.told_at) from public.rollout_sessions s where s.provider = 'supabase'
)
select heard.provider, coalesce(told.told, 0) as told, coalesce(told.asked, 0) as asked,
    coalesce(told.pinned, 0) as pinned, heard.connected, heard.last_heard
from heard left join told on told.provider = heard.provider

-- name: list_left
-- Everybody is counted; of the few who are named it is looked up who they are, and what they were told last.
with bridges as materialized (
    select r.bridge, r.seen_at, r.seen_at > clock_timestamp() - make_interval(secs => %(alive_s)s) as is_alive
    from public.bridge_reports r
), heard as (
    select l.user_id, case when r.is_alive then l.sockets else 0 end as sockets,
        case when l.sockets > 0 then coalesce(r.seen_at, l.heard_at) else l.heard_at end as heard_at
    from public.legacy_listeners l left join bridges r on r.bridge = l.bridge
    where l.user_id <> %(canary_id)s
), back as (
    -- When everybody was last told legacy again.
    select coalesce(max(a.at), '-infinity') as at from public.rollout_audit a
    where a.flag = %(flag)s and a.to_stage in ('off', 'shadow')
), left_behind as (
    -- Heard later than any answer of Supabase lives; or than it was taken back, and not asked since. An open socket is
    -- heard now.
    select h.user_id
    from heard h cross join back
    left join public.rollout_overrides o
        on o.flag = %(flag)s and o.kind = 'user' and o.subject = h.user_id and o.provider = 'socketio'
    where h.heard_at > now() - make_interval(secs => %(left_for_s)s) and not exists (
        select from public.rollout_sessions s
        where s.user_id = h.user_id and s.provider = 'supabase' and s.expires_at >= h.heard_at
            and (s.told_at >= greatest(back.at, o.created_at) or h.heard_at < greatest(back.at, o.created_at))
    )
    union
    select s.user_id from public.rollout_sessions s where s.provider = 'socketio' and s.expires_at > now()
), counted as (
    select count(*)::integer as total from left_behind
), named as (
    select b.user_id, coalesce(sum(h.sockets), 0)::integer as sockets, max(h.heard_at) as heard_at
    from left_behind b left join heard h on h.user_id = b.user_id
    group by b.user_id
    order by sockets desc, heard_at desc nulls last, b.user_id
    limit %(limit)s
)
select n.user_id, u.email, n.sockets, n.heard_at, latest.told, latest.told_at, counted.total
from counted cross join named n
left join auth.users u on u.id = n.user_id
left join lateral (
    select s.provider as told, s.told_at from public.rollout_sessions s
    where s.user_id = n.user_id order by s.told_at desc limit 1
) as latest on true
order by n.sockets desc, n.heard_at desc nulls last, n.user_id
