-- name: broadcast_trigger
create table public.golden_notes (id int, body text, at timestamptz);
create function public.announce_note() returns trigger language plpgsql as $$
begin
    perform realtime.broadcast_changes(
        'allowed:<uuid:1>', tg_op, tg_op, tg_table_name, tg_table_schema, new, old
    );
    return null;
end
$$;
create trigger announce after insert or update or delete on public.golden_notes
    for each row execute function public.announce_note();

-- name: many_types
create table public.golden_types (
    id int primary key, s smallint, b bigint, n numeric(10, 2), f float8, t text, v varchar(10), bo boolean,
    d date, ts timestamp, tz timestamptz, j json, jb jsonb, u uuid, ia int[], ta text[], by bytea, e interval
);
alter table public.golden_types replica identity full;
grant all on public.golden_types to anon, authenticated, service_role;
alter publication supabase_realtime add table public.golden_types;

-- name: odd_grants
create table public.golden_nogrant (id int primary key, t text);
create table public.golden_col (id int primary key, open text, secret text);
alter table public.golden_col replica identity full;
grant select (id, open) on public.golden_col to anon;
create table public.golden_nopk (id int, t text);
grant all on public.golden_nopk to anon, authenticated, service_role;
alter publication supabase_realtime
    add table public.golden_nogrant, public.golden_col, public.golden_nopk;

-- name: policies_by_extension
create policy g1 on realtime.messages for select to authenticated
    using (realtime.topic() = 'broadcast-only' and extension = 'broadcast');
create policy g2 on realtime.messages for insert to authenticated
    with check (realtime.topic() = 'broadcast-only' and extension = 'broadcast');
create policy g3 on realtime.messages for select to authenticated
    using (realtime.topic() = 'presence-only' and extension = 'presence');
create policy g4 on realtime.messages for insert to authenticated
    with check (realtime.topic() = 'presence-only' and extension = 'presence');
create policy part_read on realtime.messages for select to authenticated
    using (realtime.topic() = 'part' and (extension = 'presence' or auth.uid() = '<uuid:1>'));
create policy part_write on realtime.messages for insert to authenticated
    with check (realtime.topic() = 'part');
