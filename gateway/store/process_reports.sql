-- name: report
insert into bridge_reports (bridge, provider, sinks, feed_mode, has_canary, is_gateway)
values (%(name)s, %(provider)s, '{}', 'none', false, true)
on conflict (bridge) do update set provider = excluded.provider, seen_at = clock_timestamp()
