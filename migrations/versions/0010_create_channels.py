"""Create channels: servers of messengers that speak for an account, who writes there, and what waits to be sent."""

from migrations import sql

revision = "0010"
down_revision = "0009"

UP = """
create table public.chat_channels (
    id uuid primary key,
    user_id uuid not null references auth.users (id) on delete cascade,
    kind text not null check (kind in ('wuzapi')),
    name text not null check (name ~ '^[a-z0-9_-]{1,64}$'),
    base_url text not null,
    provider_user_id text,
    sealed_token bytea not null,
    sealed_hmac_key bytea not null,
    enabled boolean not null default true,
    consecutive_failures integer not null default 0,
    retry_at timestamptz,
    last_error text,
    last_error_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (user_id, name)
);
comment on column public.chat_channels.name is 'What conversations.channel says of its conversations.';
comment on column public.chat_channels.provider_user_id is 'The account at the provider; null takes any that signs well.';

-- One person may write under several addresses (a phone number, a WhatsApp LID): they lead to one conversation.
create table public.chat_channel_contacts (
    channel_id uuid not null references public.chat_channels (id) on delete cascade,
    jid text not null,
    conversation_id bigint not null references public.conversations (id) on delete cascade,
    primary key (channel_id, jid)
);
create index chat_channel_contacts_conversation on public.chat_channel_contacts (conversation_id);

-- What the provider calls a message: drops repeats on the way in, finds receipts' messages, both ways.
create table public.chat_channel_messages (
    channel_id uuid not null references public.chat_channels (id) on delete cascade,
    provider_message_id text not null,
    conversation_id bigint not null references public.conversations (id) on delete cascade,
    message_id bigint references public.chat_messages (id) on delete cascade,
    created_at timestamptz not null default now(),
    primary key (channel_id, provider_message_id)
);
create index chat_channel_messages_message on public.chat_channel_messages (message_id);
create index chat_channel_messages_conversation on public.chat_channel_messages (conversation_id);

create table public.chat_channel_sends (
    message_id bigint primary key references public.chat_messages (id) on delete cascade,
    channel_id uuid not null references public.chat_channels (id) on delete cascade,
    conversation_id bigint not null,
    seq bigint not null,
    provider_message_id text not null,
    state text not null default 'queued' check (state in ('queued', 'sent', 'failed', 'cancelled')),
    attempts integer not null default 0,
    next_at timestamptz not null default now(),
    last_error text,
    created_at timestamptz not null default now(),
    settled_at timestamptz
);
comment on column public.chat_channel_sends.next_at is 'Moved ahead by a sender that takes the row: a crash gives it back.';
create index chat_channel_sends_due on public.chat_channel_sends (channel_id, next_at) where state = 'queued';
create index chat_channel_sends_order on public.chat_channel_sends (conversation_id, seq) where state = 'queued';
create index chat_channel_sends_settled on public.chat_channel_sends (settled_at) where state <> 'queued';

alter table public.chat_channels enable row level security;
alter table public.chat_channel_contacts enable row level security;
alter table public.chat_channel_messages enable row level security;
alter table public.chat_channel_sends enable row level security;
revoke all on public.chat_channels, public.chat_channel_contacts, public.chat_channel_messages, public.chat_channel_sends
    from anon, authenticated;

-- The sink starts at the end of the log: history is not to be sent to anybody's phone.
insert into public.relay_cursors (sink, high_water)
select 'wuzapi', coalesce((select max(id) from public.chat_events), 0);

-- The only way in which a provider's news moves a status, on either side of the log: forward only, row and event together,
-- under the conversation's lock. Returns whether anything changed.
create function crossfade.append_provider_status(message bigint, wanted text, provider_id text, reason text, via text)
returns boolean language plpgsql set search_path = '' as $$
declare
    ranks constant text[] := array['pending', 'sent', 'delivered', 'read'];
    place public.conversations;
    known public.chat_messages;
    new_event uuid := gen_random_uuid();
    is_read boolean;
begin
    select c.* into place from public.conversations c
    where c.id = (select m.conversation_id from public.chat_messages m where m.id = message)
    for no key update;
    if not found then
        return false;
    end if;
    select m.* into known from public.chat_messages m where m.id = message;
    if not (case when wanted = 'failed' then known.status in ('pending', 'sent')
        else coalesce(array_position(ranks, wanted) > array_position(ranks, known.status), false) end) then
        return false;
    end if;
    is_read := wanted = 'read' and crossfade.is_unread(known, place.read_seq);
    update public.conversations c set
        last_seq = c.last_seq + 1,
        updated_at = clock_timestamp(),
        unread_count = greatest(0, c.unread_count - case when is_read then 1 else 0 end)
    where c.id = place.id returning c.* into place;
    update public.chat_messages m set
        status = wanted,
        provider_message_id = coalesce(m.provider_message_id, provider_id),
        metadata = case when reason is null then m.metadata else m.metadata || jsonb_build_object('deliveryError', reason) end,
        updated_at = place.updated_at
    where m.id = known.id returning m.* into known;
    insert into public.chat_events (event_id, account_id, conversation_id, seq, type, payload, origin, created_at)
    values (new_event, place.user_id, place.id, place.last_seq, 'message.status',
        crossfade.message_payload(known, new_event, place.last_seq), via, place.updated_at);
    if is_read then  -- one unread message less: a change of the conversation, with an event of its own
        new_event := gen_random_uuid();
        update public.conversations c set last_seq = c.last_seq + 1, updated_at = clock_timestamp()
        where c.id = place.id returning c.* into place;
        insert into public.chat_events (event_id, account_id, conversation_id, seq, type, payload, origin, created_at)
        values (new_event, place.user_id, place.id, place.last_seq, 'conversation.updated',
            crossfade.conversation_payload(place, new_event, place.last_seq), via, place.updated_at);
    end if;
    return true;
end
$$;
"""

DOWN = """
drop function crossfade.append_provider_status(bigint, text, text, text, text);
delete from public.parked_events where sink = 'wuzapi';
delete from public.relay_cursors where sink = 'wuzapi';
drop table public.chat_channel_sends;
drop table public.chat_channel_messages;
drop table public.chat_channel_contacts;
drop table public.chat_channels;
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run(DOWN)
