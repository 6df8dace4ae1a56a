-- name: find_schema_version
-- Alembic's own table, one row.
select version_num from crossfade.schema_version

-- name: try_write
-- A page full, taken back by the caller.
insert into crossfade.write_probe (filler) values (%(filler)s)
