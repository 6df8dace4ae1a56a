"""Let members read what is theirs, and nobody else anything; publish the chat tables."""

from migrations import sql

revision = "0004"
down_revision = "0003"

UP = """
-- Security definer: asking "am I a member?" must not itself be subject to the policy that asks it.
create function crossfade.is_participant(conversation bigint) returns boolean
language sql stable security definer set search_path = '' as $$
    select exists (
        select from public.conversation_participants p
        where p.conversation_id = conversation and p.user_id = (select auth.uid())
    )
$$;
revoke execute on function crossfade.is_participant(bigint) from public;
grant usage on schema crossfade to authenticated, service_role;
grant execute on function crossfade.is_participant(bigint) to authenticated, service_role;

alter table public.conversations enable row level security;
alter table public.conversation_participants enable row level security;
alter table public.chat_messages enable row level security;
alter table public.chat_events enable row level security;
alter table public.relay_cursors enable row level security;
alter table public.parked_events enable row level security;
alter table public.chat_api_keys enable row level security;

create policy members_read on public.conversations for select to authenticated
    using (user_id = (select auth.uid()) or crossfade.is_participant(id));
create policy members_read on public.conversation_participants for select to authenticated
    using (user_id = (select auth.uid()) or crossfade.is_participant(conversation_id));
create policy members_read on public.chat_messages for select to authenticated
    using (crossfade.is_participant(conversation_id));

-- Explicit, because Supabase no longer grants new tables by itself. The log, cursors and keys stay with the service.
revoke all on public.conversations, public.conversation_participants, public.chat_messages, public.chat_events,
    public.relay_cursors, public.parked_events, public.chat_api_keys from anon, authenticated;
grant select on public.conversations, public.conversation_participants, public.chat_messages to authenticated;
grant select, insert, update, delete on public.conversations, public.conversation_participants, public.chat_messages
    to service_role;

alter publication supabase_realtime add table public.conversations, public.conversation_participants, public.chat_messages;
"""

DOWN = """
alter publication supabase_realtime drop table public.conversations, public.conversation_participants, public.chat_messages;
drop policy members_read on public.chat_messages;
drop policy members_read on public.conversation_participants;
drop policy members_read on public.conversations;
alter table public.conversations disable row level security;
alter table public.conversation_participants disable row level security;
alter table public.chat_messages disable row level security;
alter table public.chat_events disable row level security;
alter table public.relay_cursors disable row level security;
alter table public.parked_events disable row level security;
alter table public.chat_api_keys disable row level security;
revoke select on public.conversations, public.conversation_participants, public.chat_messages from authenticated;
drop function crossfade.is_participant(bigint);
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run(DOWN)
