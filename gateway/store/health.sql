-- name: find_schema_version
-- Alembic's own table, one row.
select version_num from crossfade.schema_version

-- name: try_write
-- A page full, taken back by the caller.
insert into crossfade.write_probe (filler) values (%(filler)s)

-- name: report
insert into bridge_reports (bridge, provider, sinks, feed_mode, has_canary, is_gateway)
values (%(name)s, %(provider)s, '{}', 'none', false, true)
on conflict (bridge) do update set provider = excluded.provider, seen_at = clock_timestamp()
