"""Extend conversations and messages: snoozing, reading up to a seq, versions, kept history, attachments, wakening."""

from migrations import sql

revision = "0006"
down_revision = "0005"

UP = """
-- Columns with constant defaults: no table is rewritten.
alter table public.conversations
    add column snoozed_until timestamptz,
    add column read_seq bigint not null default 0,
    add column first_seq bigint not null default 0 check (first_seq <= 0);
comment on column public.conversations.read_seq is 'Up to here somebody on the account''s side has read.';
comment on column public.conversations.first_seq is 'Imported history takes numbers below zero, down to this one.';

alter table public.chat_messages
    add column account_id uuid,
    add column version integer not null default 1,
    add column attachments jsonb not null default '[]' check (jsonb_typeof(attachments) = 'array');
comment on column public.chat_messages.account_id is 'The conversation''s account again, so that a search begins there.';
comment on column public.chat_messages.version is 'Counts the changes; what an ETag is made of.';

create function crossfade.fill_message_account() returns trigger
language plpgsql set search_path = '' as $$
begin
    new.account_id := (select c.user_id from public.conversations c where c.id = new.conversation_id);
    return new;
end
$$;
create trigger fill_message_account before insert on public.chat_messages
    for each row when (new.account_id is null) execute function crossfade.fill_message_account();

create function crossfade.count_message_version() returns trigger
language plpgsql set search_path = '' as $$
begin
    new.version := old.version + 1;
    return new;
end
$$;
-- Whoever changes what is shown, changes the version; filling in account_id does not.
create trigger count_message_version
    before update of content, status, metadata, provider_message_id, attachments, edited_at, deleted_at
    on public.chat_messages for each row execute function crossfade.count_message_version();

-- What a message said before each edit, and before it was deleted.
create table public.chat_message_versions (
    message_id bigint not null references public.chat_messages (id) on delete cascade,
    version integer not null,
    content text not null,
    metadata jsonb not null,
    attachments jsonb not null,
    replaced_by text not null check (replaced_by in ('edit', 'deletion')),
    replaced_at timestamptz not null,
    primary key (message_id, version)
);

create table public.chat_attachments (
    id uuid primary key,
    account_id uuid not null references auth.users (id) on delete cascade,
    message_id bigint references public.chat_messages (id) on delete set null,
    file_name text not null,
    content_type text not null,
    size_bytes bigint not null check (size_bytes > 0),
    storage_key text not null,
    state text not null default 'pending' check (state in ('pending', 'ready', 'rejected')),
    created_at timestamptz not null default now(),
    confirmed_at timestamptz
);
create index chat_attachments_account on public.chat_attachments (account_id, created_at);
create index chat_attachments_message on public.chat_attachments (message_id) where message_id is not null;

alter table public.chat_message_versions enable row level security;
alter table public.chat_attachments enable row level security;
revoke all on public.chat_message_versions, public.chat_attachments from anon, authenticated;

-- Whether a message counts in its conversation's unread_count, as long as somebody asks under the conversation's lock.
create function crossfade.is_unread(message public.chat_messages, read_seq bigint) returns boolean
language sql immutable parallel safe as $$
    select message.direction = 'incoming' and message.status <> 'read' and message.deleted_at is null
        and message.seq > read_seq
$$;

-- First 100 characters; what has no words is called by its type.
create function crossfade.preview(content text, message_type text) returns text
language sql immutable parallel safe as $$
    select case when content = '' then '[' || message_type || ']' else left(content, 100) end
$$;

-- What the index of words holds of a message: its words, and its account as one more. No word of a text begins with '@',
-- so nobody finds anything by writing an account's id.
create function crossfade.search_document(content text, account_id uuid) returns tsvector
language sql immutable parallel safe as $$
    select to_tsvector('pg_catalog.simple'::regconfig, content)
        || array_to_tsvector(array['@' || coalesce(account_id::text, '')])
$$;

create function crossfade.participants_json(conversation bigint) returns jsonb
language sql stable parallel safe as $$
    select coalesce(jsonb_agg(jsonb_build_object(
        'userId', p.user_id, 'role', p.role, 'lastReadSeq', p.last_read_seq, 'joinedAt', crossfade.iso8601(p.joined_at)
    ) order by p.role <> 'owner', p.user_id), '[]')
    from public.conversation_participants p
    where p.conversation_id = conversation
$$;

create or replace function crossfade.message_payload(message public.chat_messages, event_id uuid, seq bigint) returns jsonb
language sql stable parallel safe as $$
    select jsonb_build_object(
        'id', message.id,
        'conversationId', message.conversation_id,
        'seq', seq,
        'eventId', event_id,
        'messageSeq', message.seq,
        'version', message.version,
        'content', message.content,
        'direction', message.direction,
        'status', message.status,
        'messageType', message.message_type,
        'metadata', message.metadata,
        'attachments', message.attachments,
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

create or replace function crossfade.conversation_payload(conversation public.conversations, event_id uuid, seq bigint)
returns jsonb language sql stable parallel safe as $$
    select jsonb_build_object(
        'id', conversation.id,
        'seq', seq,
        'eventId', event_id,
        'contactJid', conversation.contact_jid,
        'contactName', conversation.contact_name,
        'channel', conversation.channel,
        'status', conversation.status,
        'snoozedUntil', crossfade.iso8601(conversation.snoozed_until),
        'assignedAgentId', conversation.assigned_agent_id,
        'assignedBotId', conversation.assigned_bot_id,
        'lastMessageAt', crossfade.iso8601(conversation.last_message_at),
        'lastMessagePreview', conversation.last_message_preview,
        'unreadCount', conversation.unread_count,
        'readSeq', conversation.read_seq,
        'firstSeq', conversation.first_seq,
        'createdAt', crossfade.iso8601(conversation.created_at),
        'updatedAt', crossfade.iso8601(conversation.updated_at)
    )
$$;

-- Opens what has slept long enough, row and event together. Any number of callers at once.
create function crossfade.wake_conversations(at_most integer) returns integer
language plpgsql set search_path = '' as $$
declare
    sleeper public.conversations;
    new_event uuid;
    woken integer := 0;
begin
    for sleeper in
        select c.* from public.conversations c
        where c.status = 'snoozed' and c.snoozed_until <= now()
        order by c.snoozed_until limit at_most
        for no key update skip locked
    loop
        new_event := gen_random_uuid();
        update public.conversations c set
            status = 'open', snoozed_until = null, last_seq = c.last_seq + 1, updated_at = clock_timestamp()
        where c.id = sleeper.id returning c.* into sleeper;
        insert into public.chat_events (event_id, account_id, conversation_id, seq, type, payload, origin, created_at)
        values (new_event, sleeper.user_id, sleeper.id, sleeper.last_seq, 'conversation.updated',
            crossfade.conversation_payload(sleeper, new_event, sleeper.last_seq), 'snooze', sleeper.updated_at);
        woken := woken + 1;
    end loop;
    return woken;
end
$$;
"""

DOWN = """
drop function crossfade.wake_conversations(integer);
create or replace function crossfade.message_payload(message public.chat_messages, event_id uuid, seq bigint) returns jsonb
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
create or replace function crossfade.conversation_payload(conversation public.conversations, event_id uuid, seq bigint)
returns jsonb language sql stable parallel safe as $$
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
drop function crossfade.search_document(text, uuid);
drop function crossfade.participants_json(bigint);
drop function crossfade.preview(text, text);
drop function crossfade.is_unread(public.chat_messages, bigint);
drop table public.chat_attachments;
drop table public.chat_message_versions;
drop trigger count_message_version on public.chat_messages;
drop trigger fill_message_account on public.chat_messages;
drop function crossfade.count_message_version();
drop function crossfade.fill_message_account();
alter table public.chat_messages drop column account_id, drop column version, drop column attachments;
alter table public.conversations drop column snoozed_until, drop column read_seq, drop column first_seq;
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run(DOWN)
