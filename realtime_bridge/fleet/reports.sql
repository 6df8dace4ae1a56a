-- name: report
insert into public.bridge_reports as r (bridge, provider, sinks, feed_mode, version, has_canary)
values (%(bridge)s, %(provider)s, %(sinks)s, %(feed_mode)s, %(version)s, %(has_canary)s)
on conflict (bridge) do update set
    sinks = excluded.sinks,
    version = excluded.version,
    seen_at = clock_timestamp()
returning clock_timestamp()

-- name: note_listeners
-- An old client was last heard when a socket of one went.
insert into public.legacy_listeners as l (user_id, bridge, sockets, moved, unasked, heard_at)
select u.user_id, %(bridge)s, u.sockets, u.moved, u.unasked, case when u.gone then clock_timestamp() else '-infinity' end
from unnest(%(users)s::uuid[], %(sockets)s::integer[], %(moved)s::integer[], %(unasked)s::integer[], %(gone)s::boolean[])
    as u (user_id, sockets, moved, unasked, gone)
on conflict (user_id, bridge) do update set
    sockets = excluded.sockets,
    moved = excluded.moved,
    unasked = excluded.unasked,
    heard_at = greatest(l.heard_at, excluded.heard_at)

-- name: close_listeners
update public.legacy_listeners set sockets = 0, moved = 0, unasked = 0,
    heard_at = case when unasked > 0 then clock_timestamp() else heard_at end
where bridge = %(bridge)s and sockets > 0

-- name: leave
delete from public.bridge_reports where bridge = %(bridge)s

-- name: forget_bridges
-- A dead bridge's last sign of life says when its users were last heard.
delete from public.bridge_reports where seen_at < now() - interval '30 days'

-- name: forget_listeners
delete from public.legacy_listeners l where l.heard_at < now() - interval '30 days' and not exists (
    select from public.bridge_reports r where r.bridge = l.bridge and l.sockets > 0 and r.seen_at > now() - interval '30 days'
)

-- name: list_processes
select bridge, provider, sinks, feed_mode, version, has_canary, is_gateway, started_at, seen_at
from public.bridge_reports where seen_at > clock_timestamp() - make_interval(secs => %(alive_s)s)
order by is_gateway, started_at, bridge

-- name: list_sinks
-- What a sink gets is what the holder of its lease feeds it.
select c.sink, holder.bridge as held_by, r.provider, r.feed_mode,
    (r.sinks -> c.sink ->> 'isFed')::boolean as is_fed, (r.sinks -> c.sink ->> 'since')::timestamptz as fed_since
from public.relay_cursors c
left join lateral (select c.lease_owner as bridge where c.lease_until > clock_timestamp()) as holder on true
left join public.bridge_reports r
    on r.bridge = holder.bridge and r.seen_at > clock_timestamp() - make_interval(secs => %(alive_s)s)
order by c.sink

-- name: has_outsider
with delivering as (
    select lease_owner as bridge from public.relay_cursors
    where sink in ('legacy', 'supabase') and lease_until > clock_timestamp()
)
select exists (select from delivering where bridge = %(bridge)s) and exists (
    select from public.bridge_reports r
    where r.bridge <> %(bridge)s and r.has_canary and r.seen_at > clock_timestamp() - make_interval(secs => %(alive_s)s)
        and r.bridge not in (select bridge from delivering where bridge is not null)
)
