-- Schemas, the owner of the database and what the API roles may look into.
do $$
begin
    if (select datdba from pg_catalog.pg_database where datname = current_database()) <> 'postgres'::regrole then
        execute format('alter database %I owner to postgres', current_database());
    end if;
    execute format('alter database %I set timezone to ''UTC''', current_database());
end
$$;

create schema if not exists extensions authorization postgres;
create schema if not exists auth authorization supabase_admin;
create schema if not exists realtime authorization supabase_admin;

grant usage, create on schema public to postgres;
grant usage on schema public, extensions, auth, realtime
    to postgres, anon, authenticated, service_role, supabase_realtime_admin;
grant usage, create on schema auth to supabase_auth_admin;
grant usage, create on schema realtime to supabase_realtime_admin;

-- Since 2026 Supabase no longer grants new tables of `public` to the API roles: no default privileges here.
