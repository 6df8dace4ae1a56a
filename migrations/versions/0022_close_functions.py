"""Close the functions: no caller's own type is ever meant in them, and nobody may call what no policy or index asks."""

from migrations import sql

revision = "0022"
down_revision = "0021"

UP = """
-- An empty search_path is no shelter: the schema of temporary objects comes first unless it is named, for tables and for
-- types. A domain `pg_temp.jsonb` with a check of its caller's ran that check with the rights of these functions' owner,
-- also from within `auth.uid()`, whose text is Supabase's. Named last, it is found after everything that Postgres has.
-- What is plain SQL and has its caller's rights stays without a setting, which would forbid to inline it.
do $$
declare
    known regprocedure;
begin
    for known in
        select p.oid from pg_catalog.pg_proc p join pg_catalog.pg_language l on l.oid = p.prolang
        where p.pronamespace = 'crossfade'::regnamespace and (p.prosecdef or p.proconfig is not null or l.lanname <> 'sql')
    loop
        execute format('alter function %s set search_path = pg_catalog, pg_temp', known);
    end loop;
end
$$;

-- Policies and indexes know functions by number, not by name: users need no way into the schema. The service role writes
-- messages past the gateway, and the index of words is kept with its rights.
revoke usage on schema crossfade from public, anon, authenticated;
revoke execute on all functions in schema crossfade from public, anon, authenticated, service_role;
grant execute on function crossfade.is_participant(bigint), crossfade.token_counts(), crossfade.may_receive(text),
    crossfade.may_send(text) to authenticated;
grant execute on function crossfade.search_terms(text, uuid, bigint), crossfade.search_term(text),
    crossfade.search_place(uuid, bigint), crossfade.search_chunk(bigint) to service_role;
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    """They stay closed: nothing of an earlier version needs them open."""
