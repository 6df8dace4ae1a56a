-- name: get_schema_version
select version_num from crossfade.schema_version

-- name: limit_time
-- A probe waits no longer than this, whatever the session allows.
select set_config('statement_timeout', %(milliseconds)s, true)
