"""Create the append-only event log, its cursors and the place for events that could not be delivered."""

from migrations import sql

revision = "0002"
down_revision = "0001"

UP = """
create sequence public.chat_events_id_seq as bigint;

-- Weekly partitions: retention drops one, and the newest four weeks are never more than five tables to look through.
create table public.chat_events (
    id bigint not null default nextval('public.chat_events_id_seq'),
    event_id uuid not null,
    account_id uuid not null,
    conversation_id bigint not null,
    seq bigint not null,
    type text not null,
    payload jsonb not null check (jsonb_typeof(payload) = 'object'),
    origin text not null default 'api',
    created_at timestamptz not null default now(),
    primary key (id, created_at)
) partition by range (created_at);
alter sequence public.chat_events_id_seq owned by public.chat_events.id;
create index chat_events_account on public.chat_events (account_id, id);
create index chat_events_conversation on public.chat_events (conversation_id, seq);

-- A write is never lost for want of a partition; the default one is expected to stay empty.
create table crossfade.chat_events_default partition of public.chat_events default;
alter table crossfade.chat_events_default enable row level security;

-- Partitions live in the unexposed schema: row level security of a parent does not cover direct access to a partition.
-- Made beside the log and then attached, which unlike `partition of` does not lock writers out; whatever had to land in
-- the default partition moves over. A lock that is not had at once is given up: nobody shall queue behind it.
create function crossfade.ensure_event_partitions(weeks_ahead integer) returns integer
language plpgsql set search_path = '' set lock_timeout = '200ms' as $$
declare
    first_day date := date_trunc('week', now() at time zone 'utc')::date;
    starts timestamptz;
    ends timestamptz;
    name text;
    created integer := 0;
begin
    for step in 0..weeks_ahead loop
        starts := (first_day + step * 7)::timestamp at time zone 'utc';
        ends := (first_day + step * 7 + 7)::timestamp at time zone 'utc';
        name := 'chat_events_' || to_char(first_day + step * 7, 'YYYY_MM_DD');
        continue when to_regclass(format('crossfade.%I', name)) is not null;
        execute format('create table crossfade.%I (like public.chat_events including all)', name);
        execute format('alter table crossfade.%I enable row level security', name);
        execute format(
            'with moved as (delete from crossfade.chat_events_default where created_at >= %L and created_at < %L'
            ' returning *) insert into crossfade.%I select * from moved', starts, ends, name
        );
        execute format(
            'alter table public.chat_events attach partition crossfade.%I for values from (%L) to (%L)',
            name, starts, ends
        );
        created := created + 1;
    end loop;
    return created;
end
$$;

create function crossfade.drop_event_partitions(keep interval) returns integer
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

select crossfade.ensure_event_partitions(4);

create function crossfade.announce_events() returns trigger
language plpgsql set search_path = '' as $$
begin
    perform pg_notify('chat_events', '');
    return null;
end
$$;
create trigger announce_events after insert on public.chat_events
    for each statement execute function crossfade.announce_events();

-- One row per sink: everything up to high_water is delivered except the holes, ids that were taken but not yet seen.
create table public.relay_cursors (
    sink text primary key,
    high_water bigint not null default 0,
    holes jsonb not null default '[]' check (jsonb_typeof(holes) = 'array'),
    lease_owner text,
    lease_token bigint not null default 0,
    lease_until timestamptz not null default '-infinity',
    delivered_count bigint not null default 0,
    last_delivered_at timestamptz,
    breaker text not null default 'closed' check (breaker in ('closed', 'open')),
    consecutive_failures integer not null default 0,
    retry_at timestamptz,
    last_error text,
    last_error_at timestamptz,
    updated_at timestamptz not null default now()
);
insert into public.relay_cursors (sink) values ('supabase'), ('legacy');

-- A copy, not a reference: a parked event outlives the partition it came from.
create table public.parked_events (
    sink text not null,
    id bigint not null,
    event_id uuid not null,
    account_id uuid not null,
    conversation_id bigint not null,
    seq bigint not null,
    type text not null,
    payload jsonb not null,
    origin text not null,
    created_at timestamptz not null,
    reason text not null,
    attempts integer not null default 1,
    parked_at timestamptz not null default now(),
    replay_requested_at timestamptz,
    primary key (sink, event_id)
);
create index parked_events_replay on public.parked_events (sink, id) where replay_requested_at is not null;

create function crossfade.iso8601(moment timestamptz) returns text
language sql immutable parallel safe as $$
    select to_char(moment at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

-- The wire form of an event, made once where it is committed; every sink sends it as it stands.
create function crossfade.message_payload(message public.chat_messages, event_id uuid, seq bigint) returns jsonb
language sql stable parallel safe as $$
    select jsonb_build_object(
        'id', message.id,
        'conversationId', message.conversation_id,
        'seq', seq,
        'eventId', event_id,
        'messageSeq', message.seq,
        'content', message.content,
        'direction', message.direction,
        'status', message.status,
        'messageType', message.message_type,
        'metadata', message.metadata,
        'clientMessageId', message.client_message_id,
        'providerMessageId', message.provider_message_id,
        'senderId', message.sender_id,
        'replyToId', message.reply_to_id,
        'createdAt', crossfade.iso8601(message.created_at),
        'updatedAt', crossfade.iso8601(message.updated_at),
        'editedAt', crossfade.iso8601(message.edited_at),
        'deletedAt', crossfade.iso8601(message.deleted_at)
    )
$$;

create function crossfade.conversation_payload(conversation public.conversations, event_id uuid, seq bigint) returns jsonb
language sql stable parallel safe as $$
    select jsonb_build_object(
        'id', conversation.id,
        'seq', seq,
        'eventId', event_id,
        'contactJid', conversation.contact_jid,
        'contactName', conversation.contact_name,
        'channel', conversation.channel,
        'status', conversation.status,
        'assignedAgentId', conversation.assigned_agent_id,
        'assignedBotId', conversation.assigned_bot_id,
        'lastMessageAt', crossfade.iso8601(conversation.last_message_at),
        'lastMessagePreview', conversation.last_message_preview,
        'unreadCount', conversation.unread_count,
        'createdAt', crossfade.iso8601(conversation.created_at),
        'updatedAt', crossfade.iso8601(conversation.updated_at)
    )
$$;
"""

DOWN = """
drop function crossfade.conversation_payload(public.conversations, uuid, bigint);
drop function crossfade.message_payload(public.chat_messages, uuid, bigint);
drop function crossfade.iso8601(timestamptz);
drop table public.parked_events;
drop table public.relay_cursors;
drop table public.chat_events;
drop function crossfade.announce_events();
drop function crossfade.drop_event_partitions(interval);
drop function crossfade.ensure_event_partitions(integer);
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run(DOWN)
