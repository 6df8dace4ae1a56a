-- Roles belong to the whole cluster: an earlier or concurrent database may have made them already,
-- so each is created only when absent and never altered once it is there.
do $$
declare
    wanted record;
begin
    for wanted in
        select *
        from (values
            ('anon', 'nologin inherit'),
            ('authenticated', 'nologin inherit'),
            ('service_role', 'nologin inherit bypassrls'),
            ('authenticator', 'login noinherit password ''postgres'''),
            ('supabase_admin', 'login superuser createdb createrole replication bypassrls'),
            ('postgres', 'login createdb createrole replication bypassrls password ''postgres'''),
            ('supabase_auth_admin', 'login noinherit createrole password ''postgres'''),
            ('supabase_storage_admin', 'login noinherit createrole password ''postgres'''),
            ('supabase_realtime_admin', 'nologin noinherit'),
            ('supabase_replication_admin', 'login replication'),
            ('supabase_read_only_user', 'login bypassrls'),
            ('dashboard_user', 'nologin createdb createrole replication')
        ) as roles (role_name, attributes)
        where not exists (select from pg_catalog.pg_roles where rolname = role_name)
    loop
        begin
            execute format('create role %I %s', wanted.role_name, wanted.attributes);
        exception
            when duplicate_object or unique_violation then null;  -- somebody else was faster
        end;
    end loop;
end
$$;

-- Membership: who may become whom. Hosted Supabase lets `postgres` write policies on
-- realtime.messages through supautils; here membership in the owning role does that.
do $$
declare
    wanted record;
begin
    for wanted in
        select *
        from (values
            ('anon', 'authenticator'),
            ('authenticated', 'authenticator'),
            ('service_role', 'authenticator'),
            ('anon', 'postgres'),
            ('authenticated', 'postgres'),
            ('service_role', 'postgres'),
            ('anon', 'supabase_realtime_admin'),
            ('authenticated', 'supabase_realtime_admin'),
            ('service_role', 'supabase_realtime_admin'),
            ('supabase_realtime_admin', 'postgres'),
            ('pg_monitor', 'postgres'),
            ('pg_signal_backend', 'postgres')
        ) as memberships (group_name, member_name)
        where not exists (
            select
            from pg_catalog.pg_auth_members m
            where m.roleid = to_regrole(group_name) and m.member = to_regrole(member_name)
        )
        and not coalesce((select rolsuper from pg_catalog.pg_roles where rolname = member_name), false)
    loop
        execute format('grant %I to %I', wanted.group_name, wanted.member_name);
    end loop;
end
$$;
