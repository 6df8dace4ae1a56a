"""Let consumers resume the log of their account; remember what a POST with an Idempotency-Key was answered."""

from migrations import sql

revision = "0008"
down_revision = "0007"

UP = """
-- Null in rows from before: their transactions ended long ago, which is all that anybody asks of this column.
alter table public.chat_events add column xid xid8;
alter table public.chat_events alter column xid set default pg_current_xact_id();
comment on column public.chat_events.xid is 'The transaction that wrote it: what a reader''s snapshot could not see, it names.';

create table crossfade.event_floor (
    only_row boolean primary key default true check (only_row),
    id bigint not null default 0
);
comment on table crossfade.event_floor is 'Events up to this id are gone, or soon will be: no cursor below it can be resumed.';
insert into crossfade.event_floor default values;
alter table crossfade.event_floor enable row level security;

create or replace function crossfade.drop_event_partitions(keep interval) returns integer
language plpgsql set search_path = '' set lock_timeout = '200ms' as $$
declare
    old record;
    newest bigint;
    dropped integer := 0;
begin
    for old in
        select c.relname, to_date(substr(c.relname, 13), 'YYYY_MM_DD') + 7 as ends
        from pg_catalog.pg_inherits i
        join pg_catalog.pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'public.chat_events'::regclass and c.relname ~ '^chat_events_[0-9]{4}_[0-9]{2}_[0-9]{2}$'
    loop
        if old.ends::timestamp at time zone 'utc' < now() - keep then
            execute format('select max(id) from crossfade.%I', old.relname) into newest;
            update crossfade.event_floor set id = greatest(id, coalesce(newest, 0));
            execute format('drop table crossfade.%I', old.relname);
            dropped := dropped + 1;
        end if;
    end loop;
    return dropped;
end
$$;

-- One notification per account and transaction: a commit wakes the readers of its account and nobody else's.
drop trigger announce_events on public.chat_events;
create or replace function crossfade.announce_events() returns trigger
language plpgsql set search_path = '' as $$
begin
    perform pg_notify('chat_events', a.account_id::text) from (select distinct account_id from added) as a;
    return null;
end
$$;
create trigger announce_events after insert on public.chat_events referencing new table as added
    for each statement execute function crossfade.announce_events();

-- `id` is a hash of API key, method, path and Idempotency-Key; `sealed_answer` opens with the caller's API key only,
-- because an answer may hold a secret that is shown once.
create table public.idempotency_records (
    id bytea primary key check (octet_length(id) = 32),
    fingerprint bytea not null check (octet_length(fingerprint) = 32),
    sealed_answer bytea not null,
    created_at timestamptz not null default now()
);
create index idempotency_records_age on public.idempotency_records (created_at);
alter table public.idempotency_records enable row level security;
revoke all on public.idempotency_records from anon, authenticated;

alter table public.chat_api_keys add column replaced_by text references public.chat_api_keys (id) on delete set null;
comment on column public.chat_api_keys.replaced_by is 'The key that rotation made from this one.';
"""

DOWN = """
alter table public.chat_api_keys drop column replaced_by;
drop table public.idempotency_records;
drop trigger announce_events on public.chat_events;
create or replace function crossfade.announce_events() returns trigger
language plpgsql set search_path = '' as $$
begin
    perform pg_notify('chat_events', '');
    return null;
end
$$;
create trigger announce_events after insert on public.chat_events
    for each statement execute function crossfade.announce_events();
create or replace function crossfade.drop_event_partitions(keep interval) returns integer
language plpgsql set search_path = '' set lock_timeout = '200ms' as $$
declare
    old record;
    dropped integer := 0;
begin
    for old in
        select c.relname, to_date(substr(c.relname, 13), 'YYYY_MM_DD') + 7 as ends
        from pg_catalog.pg_inherits i
        join pg_catalog.pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'public.chat_events'::regclass and c.relname ~ '^chat_events_[0-9]{4}_[0-9]{2}_[0-9]{2}$'
    loop
        if old.ends::timestamp at time zone 'utc' < now() - keep then
            execute format('drop table crossfade.%I', old.relname);
            dropped := dropped + 1;
        end if;
    end loop;
    return dropped;
end
$$;
drop table crossfade.event_floor;
alter table public.chat_events drop column xid;
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run(DOWN)
