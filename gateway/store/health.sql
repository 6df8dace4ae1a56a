-- name: find_schema_version
-- Alembic's own table, one row.
select version_num from crossfade.schema_version
