-- name: table_facts
-- What the log does not say about a table: its types, primary key, generated columns, and whether policies apply.
-- A type by two names: as the real server casts to it (`character` and `bit` cut to one), and whole.
select
    a.attname,
    t.typname,
    format_type(t.oid, null),
    format('%%I.%%I', tn.nspname, t.typname),
    coalesce(a.attnum = any (i.indkey::int2[]), false),
    case when a.attgenerated <> '' then pg_get_expr(d.adbin, d.adrelid) end,
    c.relrowsecurity
from pg_catalog.pg_class c
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_catalog.pg_type t on t.oid = a.atttypid
join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace
left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
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
