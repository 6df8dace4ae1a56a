"""End a membership wherever it is asked for: whom an account may not name any more reads nothing, evictions end tokens."""

from migrations import sql

revision = "0017"
down_revision = "0016"

UP = """
-- What the database must know of the processes' settings. Written by the gateway when it starts.
create table public.chat_settings (
    name text primary key,
    value text not null
);
comment on table public.chat_settings is 'account_users: listed or everybody (CROSSFADE_ACCOUNT_USERS); no row: everybody.';

-- Sockets that were open at closed_at are closed; tokens that were signed before ended_at open nothing.
create table public.chat_evictions (
    user_id uuid primary key references auth.users (id) on delete cascade,
    closed_at timestamptz not null,
    ended_at timestamptz
);
create index chat_evictions_closed on public.chat_evictions (closed_at);

alter table public.chat_settings enable row level security;
alter table public.chat_evictions enable row level security;
revoke all on public.chat_settings, public.chat_evictions from anon, authenticated;

-- Whether an account may name a person: its own user, and where lists are kept those of whom the project says so.
create function crossfade.belongs(account uuid, person uuid) returns boolean
language sql stable parallel safe set search_path = '' as $$
    select person = account
        or not exists (select from public.chat_settings s where s.name = 'account_users' and s.value = 'listed')
        or exists (
            select from auth.users u where u.id = person and u.raw_app_meta_data -> 'chat_accounts' ? account::text
        )
$$;

-- Whether an eviction ended a person's tokens of that time; one that does not say when it was signed is old.
create function crossfade.is_evicted(person uuid, token_from timestamptz) returns boolean
language sql stable parallel safe set search_path = '' as $$
    select exists (
        select from public.chat_evictions e
        where e.user_id = person and e.ended_at is not null and (token_from is null or token_from < e.ended_at)
    )
$$;

-- Whether somebody takes part in a conversation now, with a token of that time; what the legacy sockets ask.
create function crossfade.takes_part(conversation bigint, person uuid, token_from timestamptz) returns boolean
language sql stable parallel safe set search_path = '' as $$
    select exists (
        select from public.conversation_participants p
        join public.conversations c on c.id = p.conversation_id
        where p.conversation_id = conversation and p.user_id = person and crossfade.belongs(c.user_id, p.user_id)
    ) and not crossfade.is_evicted(person, token_from)
$$;

-- The policies ask this for each row, so it calls no other function of ours.
create or replace function crossfade.is_participant(conversation bigint) returns boolean
language sql stable security definer set search_path = '' as $$
    select exists (
        select from public.conversation_participants p
        join public.conversations c on c.id = p.conversation_id
        where p.conversation_id = conversation and p.user_id = (select auth.uid()) and (
            c.user_id = p.user_id
            or not exists (select from public.chat_settings s where s.name = 'account_users' and s.value = 'listed')
            or exists (
                select from auth.users u
                where u.id = p.user_id and u.raw_app_meta_data -> 'chat_accounts' ? c.user_id::text
            )
        )
    )
$$;

-- And this once for each statement: whether the caller's token was not ended by an eviction.
create function crossfade.token_counts() returns boolean
language sql stable security definer set search_path = '' as $$
    select not crossfade.is_evicted(
        (select auth.uid()),
        to_timestamp((nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'iat')::double precision)
    )
$$;
revoke execute on function crossfade.belongs(uuid, uuid), crossfade.is_evicted(uuid, timestamptz),
    crossfade.takes_part(bigint, uuid, timestamptz), crossfade.token_counts() from public;
grant execute on function crossfade.token_counts() to authenticated, service_role;

create policy tokens_count on public.conversations as restrictive for select to authenticated
    using ((select crossfade.token_counts()));
create policy tokens_count on public.conversation_participants as restrictive for select to authenticated
    using ((select crossfade.token_counts()));
create policy tokens_count on public.chat_messages as restrictive for select to authenticated
    using ((select crossfade.token_counts()));
-- Our topics only: what else a project does with its channels is its own.
create policy crossfade_tokens_count on realtime.messages as restrictive for all to authenticated
    using ((select realtime.topic()) !~ '^(conversation|presence|user):' or (select crossfade.token_counts()));

-- A row of one's own was readable because it is one's own; whom the account may not name any more has none.
alter policy members_read on public.conversation_participants using (crossfade.is_participant(conversation_id));

-- Takes a person out of an account's conversations, row and event together; how many. A few at a time: each is locked.
create function crossfade.end_membership(account uuid, person uuid, at_most integer) returns integer
language plpgsql set search_path = '' as $$
declare
    place bigint;
    known public.conversations;
    new_event uuid;
    ended integer := 0;
begin
    for place in
        select c.id from public.conversations c
        join public.conversation_participants p on p.conversation_id = c.id
        where c.user_id = account and p.user_id = person and person <> account
        order by c.id limit at_most
    loop
        update public.conversations c set last_seq = c.last_seq + 1, updated_at = clock_timestamp()
        where c.id = place returning c.* into known;
        delete from public.conversation_participants p where p.conversation_id = place and p.user_id = person;
        new_event := gen_random_uuid();
        insert into public.chat_events (event_id, account_id, conversation_id, seq, type, payload, created_at)
        values (new_event, known.user_id, known.id, known.last_seq, 'conversation.updated',
            crossfade.conversation_payload(known, new_event, known.last_seq)
                || jsonb_build_object('participants', crossfade.participants_json(known.id)), known.updated_at);
        ended := ended + 1;
    end loop;
    return ended;
end
$$;
revoke execute on function crossfade.end_membership(uuid, uuid, integer) from public;
"""

DOWN = """
drop function crossfade.end_membership(uuid, uuid, integer);
alter policy members_read on public.conversation_participants
    using (user_id = (select auth.uid()) or crossfade.is_participant(conversation_id));
drop policy crossfade_tokens_count on realtime.messages;
drop policy tokens_count on public.chat_messages;
drop policy tokens_count on public.conversation_participants;
drop policy tokens_count on public.conversations;
drop function crossfade.token_counts();
create or replace function crossfade.is_participant(conversation bigint) returns boolean
language sql stable security definer set search_path = '' as $$
    select exists (
        select from public.conversation_participants p
        where p.conversation_id = conversation and p.user_id = (select auth.uid())
    )
$$;
drop function crossfade.takes_part(bigint, uuid, timestamptz);
drop function crossfade.is_evicted(uuid, timestamptz);
drop function crossfade.belongs(uuid, uuid);
drop table public.chat_evictions;
drop table public.chat_settings;
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run(DOWN)
