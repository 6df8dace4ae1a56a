"""Create conversations, their participants and their messages."""

from migrations import sql

revision = "0001"
down_revision = None

UP = """
-- Functions that policies and writers call. Not exposed by Supabase's Data API, unlike `public`.
create schema if not exists crossfade;

create table public.conversations (
    id bigint generated always as identity primary key,
    user_id uuid not null references auth.users (id) on delete cascade,
    contact_jid text not null,
    contact_name text,
    channel text not null default 'api',
    status text not null default 'open' check (status in ('open', 'pending', 'resolved', 'snoozed')),
    assigned_agent_id uuid,
    assigned_bot_id text,
    last_seq bigint not null default 0 check (last_seq >= 0),
    last_message_at timestamptz,
    last_message_preview text,
    unread_count integer not null default 0 check (unread_count >= 0),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on column public.conversations.user_id is 'The account that owns the conversation.';
comment on column public.conversations.last_seq is 'Number of the newest event; taken under this row''s lock, so gapless.';
create index conversations_account_recent on public.conversations (user_id, (coalesce(last_message_at, created_at)) desc, id desc);
create index conversations_account_status on public.conversations (user_id, status, (coalesce(last_message_at, created_at)) desc, id desc);
create index conversations_account_agent on public.conversations (user_id, assigned_agent_id) where assigned_agent_id is not null;
create index conversations_account_contact on public.conversations (user_id, contact_jid);

create table public.conversation_participants (
    conversation_id bigint not null references public.conversations (id) on delete cascade,
    user_id uuid not null references auth.users (id) on delete cascade,
    role text not null check (role in ('owner', 'agent', 'client', 'supervisor')),
    last_read_seq bigint not null default 0,
    joined_at timestamptz not null default now(),
    primary key (conversation_id, user_id)
);
create index conversation_participants_user on public.conversation_participants (user_id, conversation_id);

create table public.chat_messages (
    id bigint generated always as identity primary key,
    conversation_id bigint not null references public.conversations (id) on delete cascade,
    seq bigint not null,
    event_id uuid not null,
    direction text not null check (direction in ('incoming', 'outgoing')),
    message_type text not null default 'text' check (message_type in ('text', 'image', 'audio', 'video', 'document')),
    content text not null check (octet_length(content) <= 4096),
    status text not null check (status in ('pending', 'sent', 'delivered', 'read', 'failed')),
    client_message_id text,
    provider_message_id text,
    sender_id text,
    reply_to_id bigint,
    metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
    edited_at timestamptz,
    deleted_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (conversation_id, seq),
    unique (conversation_id, client_message_id),
    unique (conversation_id, id),
    foreign key (conversation_id, reply_to_id) references public.chat_messages (conversation_id, id)
);
comment on column public.chat_messages.event_id is 'Id of the message.new event, so a client can drop what it has seen live.';
create index chat_messages_provider on public.chat_messages (conversation_id, provider_message_id)
    where provider_message_id is not null;
"""

DOWN = """
drop table public.chat_messages;
drop table public.conversation_participants;
drop table public.conversations;
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run(DOWN)
