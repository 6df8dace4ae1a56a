"""Close what was open: functions to types of their callers, deleted rows to everybody, accounts to unlisted users."""

from migrations import sql

revision = "0022"
down_revision = "0021"

UP = """
comment on table public.chat_settings is
    'account_users: listed or everybody, by `crossfade users scope`; no row: listed.';

create or replace function crossfade.belongs(account uuid, person uuid) returns boolean
language sql stable parallel safe set search_path = pg_catalog, pg_temp as $$
    select person = account
        or exists (
            select from auth.users u where u.id = person and u.raw_app_meta_data -> 'chat_accounts' ? account::text
        )
        or exists (select from public.chat_settings s where s.name = 'account_users' and s.value = 'everybody')
$$;

-- The same rule again, because this is asked for each row: a call of the other takes five times as long.
create or replace function crossfade.is_participant(conversation bigint) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from public.conversation_participants p
        join public.conversations c on c.id = p.conversation_id
        where p.conversation_id = conversation and p.user_id = (select auth.uid()) and (
            c.user_id = p.user_id
            or exists (
                select from auth.users u
                where u.id = p.user_id and u.raw_app_meta_data -> 'chat_accounts' ? c.user_id::text
            )
            or exists (select from public.chat_settings s where s.name = 'account_users' and s.value = 'everybody')
        )
    )
$$;

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

-- `to_char` is stable, so what was said to be immutable was never inlined: a call for each time in each event.
alter function crossfade.iso8601(timestamptz) stable;

-- Policies and indexes know functions by number, not by name: users need no way into the schema. The service role writes
-- messages past the gateway, and the index of words is kept with its rights.
revoke usage on schema crossfade from public, anon, authenticated;
revoke execute on all functions in schema crossfade from public, anon, authenticated, service_role;
grant execute on function crossfade.is_participant(bigint), crossfade.token_counts(), crossfade.may_receive(text),
    crossfade.may_send(text) to authenticated;
grant execute on function crossfade.search_terms(text, uuid, bigint), crossfade.search_term(text),
    crossfade.search_place(uuid, bigint), crossfade.search_chunk(bigint) to service_role;

-- Row level security cannot be asked for a row that is gone, so Realtime shows its key to everybody who listens, and what a
-- publication publishes holds for all of its tables, also those that are not ours. Only what is ours is taken out.
do $$
declare
    known regclass;
begin
    for known in
        select r.prrelid from pg_catalog.pg_publication_rel r
        join pg_catalog.pg_publication p on p.oid = r.prpubid and p.pubname = 'supabase_realtime'
        where r.prrelid in (
            'public.conversations'::regclass, 'public.conversation_participants'::regclass, 'public.chat_messages'::regclass
        )
    loop
        execute format('alter publication supabase_realtime drop table %s', known);
    end loop;
end
$$;
"""
DOWN = """
-- The functions stay as they are: nothing of an earlier version needs them open, and it writes the row that they ask for.
do $$
declare
    ours regclass;
begin
    for ours in
        select ('public.' || name)::regclass from unnest(array['conversations', 'conversation_participants', 'chat_messages']) as name
        where not exists (
            select from pg_catalog.pg_publication_tables t
            where t.pubname = 'supabase_realtime' and t.schemaname = 'public' and t.tablename = name
        )
    loop
        execute format('alter publication supabase_realtime add table %s', ours);
    end loop;
end
$$;
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run(DOWN)
