"""Say who may join which private Realtime channel."""

from migrations import sql

revision = "0005"
down_revision = "0004"

UP = """
-- Topics: conversation:{id} and presence:{id} for participants, user:{uid}:inbox for that user, nothing else.
create function crossfade.may_receive(topic text) returns boolean
language sql stable security definer set search_path = '' as $$
    select case
        when topic ~ '^(conversation|presence):[0-9]{1,18}$' then crossfade.is_participant(split_part(topic, ':', 2)::bigint)
        when topic ~ '^user:[0-9a-f-]{36}:inbox$' then split_part(topic, ':', 2) = (select auth.uid())::text
        else false
    end
$$;

-- Clients may send (typing, presence) on presence:{id} only. On conversation:{id} a policy cannot tell a typing event
-- from a forged message.new, because Realtime shows it the topic and not the event.
create function crossfade.may_send(topic text) returns boolean
language sql stable security definer set search_path = '' as $$
    select topic ~ '^presence:[0-9]{1,18}$' and crossfade.is_participant(split_part(topic, ':', 2)::bigint)
$$;
revoke execute on function crossfade.may_receive(text), crossfade.may_send(text) from public;
grant execute on function crossfade.may_receive(text), crossfade.may_send(text) to authenticated;

create policy crossfade_receive on realtime.messages for select to authenticated
    using (extension in ('broadcast', 'presence') and crossfade.may_receive((select realtime.topic())));
create policy crossfade_send on realtime.messages for insert to authenticated
    with check (extension in ('broadcast', 'presence') and crossfade.may_send((select realtime.topic())));
"""

DOWN = """
drop policy crossfade_send on realtime.messages;
drop policy crossfade_receive on realtime.messages;
drop function crossfade.may_send(text);
drop function crossfade.may_receive(text);
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run(DOWN)
