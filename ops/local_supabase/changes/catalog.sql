-- name: published_columns
-- Columns of the published tables a binding names; none means that Realtime is not enabled for them.
select a.attname, format('%%I.%%I', tn.nspname, t.typname)
from pg_catalog.pg_publication_tables p
join pg_catalog.pg_namespace n on n.nspname = p.schemaname
join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = p.tablename
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_catalog.pg_type t on t.oid = a.atttypid
join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace
where p.pubname = 'supabase_realtime'
    and %(schema)s::text in ('*', p.schemaname::text)
    and %(table)s::text in ('*', p.tablename::text)

-- name: check_role
-- Fails with the server's own words when the role of a token does not exist.
select %(role)s::regrole::oid is not null

-- name: check_value
-- Fails with the server's own words when a filter's value is not of its column's type.
select realtime.local_matches(%(type)s, %(operator)s, null, %(value)s, false)

-- name: table_facts
-- What the log does not say about a table: its type names, primary key and whether policies apply.
select
    a.attname,
    t.typname,
    format('%%I.%%I', tn.nspname, t.typname),
    coalesce(a.attnum = any (i.indkey::int2[]), false),
    c.relrowsecurity
from pg_catalog.pg_class c
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_catalog.pg_type t on t.oid = a.atttypid
join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace
left join pg_catalog.pg_index i on i.indrelid = c.oid and i.indisprimary
where c.oid = %(oid)s
order by a.attnum

-- name: readable_columns
select a.attname
from pg_catalog.pg_attribute a
where a.attrelid = %(oid)s::oid
    and a.attnum > 0
    and not a.attisdropped
    and has_column_privilege(%(role)s, a.attrelid, a.attnum, 'select')

-- name: row_as_json
select realtime.local_json(value_type, value)::text
from unnest(%(types)s::text[], %(values)s::text[]) with ordinality as row_values (value_type, value, position)
order by position

-- name: matching
-- One answer per filter, in order.
select realtime.local_matches(value_type, operator, value, wanted, negated)
from unnest(%(types)s::text[], %(operators)s::text[], %(values)s::text[], %(wanted)s::text[], %(negated)s::boolean[])
    with ordinality as conditions (value_type, operator, value, wanted, negated, position)
order by position
