-- name: published_tables
-- The tables a binding names, by oid; none means that Realtime is not enabled for them.
select c.oid
from pg_catalog.pg_publication_tables p
join pg_catalog.pg_namespace n on n.nspname = p.schemaname
join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = p.tablename
where p.pubname = 'supabase_realtime'
    and %(schema)s::text in ('*', p.schemaname::text)
    and %(table)s::text in ('*', p.tablename::text)
order by c.oid

-- name: check_role
-- Fails with the server's own words when the role of a token does not exist.
select %(role)s::regrole::oid is not null

-- name: check_filter
-- Fails in the real server's words when a filter could only fail, or lose a change, at a row.
select realtime.local_check_filter(%(oid)s::oid, %(role)s, %(column)s, %(operator)s, %(value)s)

-- name: check_selected
select realtime.local_check_selected(%(oid)s::oid, %(role)s, %(columns)s::text[])
