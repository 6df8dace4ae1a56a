-- name: missing_days
-- Days from yesterday to three days ahead that have no partition yet; a row of such a day is lost.
select day::date as day
from generate_series(
    (now() at time zone 'utc')::date - %(days_behind)s::int,
    (now() at time zone 'utc')::date + %(days_ahead)s::int,
    interval '1 day'
) as day
where to_regclass(format('realtime.messages_%%s', to_char(day, 'YYYY_MM_DD'))) is null
order by day

-- name: expired_partitions
-- Partitions whose last row is older than the retention (72 h on Supabase).
select child.relname as name
from pg_catalog.pg_inherits i
join pg_catalog.pg_class child on child.oid = i.inhrelid
where i.inhparent = to_regclass('realtime.messages')
    and child.relname ~ '^messages_[0-9]{4}_[0-9]{2}_[0-9]{2}$'
    and to_date(right(child.relname, 10), 'YYYY_MM_DD')
        < (now() at time zone 'utc')::date - %(retention_days)s::int
order by name
