"""Narrow what API roles may do: topics with one spelling, rows of that topic alone, no sequences."""

from migrations import sql

revision = "0019"
down_revision = "0018"

ID = "[1-9][0-9]{0,17}"  # as we write ids: nothing is ever sent to `conversation:03`, so nobody is let in there
OLD_ID = "[0-9]{1,18}"
FUNCTIONS = """
create or replace function crossfade.may_receive(topic text) returns boolean
language sql stable security definer set search_path = '' as $$
    select case
        when topic ~ '^(conversation|presence):{id}$' then crossfade.is_participant(split_part(topic, ':', 2)::bigint)
        when topic ~ '^user:[0-9a-f-]{{36}}:inbox$' then split_part(topic, ':', 2) = (select auth.uid())::text
        else false
    end
$$;
create or replace function crossfade.may_send(topic text) returns boolean
language sql stable security definer set search_path = '' as $$
    select topic ~ '^presence:{id}$' and crossfade.is_participant(split_part(topic, ':', 2)::bigint)
$$;
"""

# `realtime.topic()` is what a session says of itself: Realtime says it truly, but whoever has SQL can say anything. So
# the row has to be of that topic, too. Realtime asks with rows of the very topic that it sets, and passes.
POLICIES = """
alter policy crossfade_receive on realtime.messages using (
    extension in ('broadcast', 'presence')
    and topic = (select realtime.topic())
    and crossfade.may_receive((select realtime.topic()))
);
alter policy crossfade_send on realtime.messages with check (
    extension in ('broadcast', 'presence')
    and topic = (select realtime.topic())
    and crossfade.may_send((select realtime.topic()))
);
"""
OLD_POLICIES = """
alter policy crossfade_receive on realtime.messages using (
    extension in ('broadcast', 'presence') and crossfade.may_receive((select realtime.topic()))
);
alter policy crossfade_send on realtime.messages with check (
    extension in ('broadcast', 'presence') and crossfade.may_send((select realtime.topic()))
);
"""

# A project's default privileges give its API roles every new sequence. `nextval` by a stranger makes holes in the log
# that the relay has to wait out, and `setval` makes every write fail. Whatever a later version creates revokes itself.
SEQUENCES = """
do $$
declare
    name text;
begin
    for name in
        select format('%I.%I', n.nspname, s.relname)
        from pg_catalog.pg_class s
        join pg_catalog.pg_namespace n on n.oid = s.relnamespace
        where s.relkind = 'S' and n.nspname = 'public' and (
            s.relname in ('chat_events_id_seq', 'webhook_deliveries_id_seq', 'webhook_attempts_id_seq')
            or exists (
                select from pg_catalog.pg_depend d join pg_catalog.pg_class t on t.oid = d.refobjid
                where d.objid = s.oid and d.classid = 'pg_catalog.pg_class'::regclass and d.deptype in ('a', 'i')
                    and t.relname in (
                        'conversations', 'chat_messages', 'chat_channels', 'chat_attachments', 'chat_external_webhooks',
                        'webhook_secrets', 'webhook_notices', 'rollout_approvals', 'rollout_audit',
                        'rollout_windows'
                    )
            )
        )
    loop
        execute format('revoke all on sequence %s from anon, authenticated', name);
    end loop;
end
$$;
"""


def upgrade() -> None:
    sql.run(FUNCTIONS.format(id=ID))
    sql.run(POLICIES)
    sql.run(SEQUENCES)


def downgrade() -> None:
    """The sequences stay closed: what they were open for is the project's own default, and nothing of ours uses it."""
    sql.run(OLD_POLICIES)
    sql.run(FUNCTIONS.format(id=OLD_ID))
