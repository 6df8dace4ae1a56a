"""How soon a conversation wants an answer, in its row, its events and a filter of the list."""

from migrations import sql

revision = "0026"
down_revision = "0025"

# Not valid: every row has the default, so there is nothing to look through while the table is locked.
UP = """
alter table public.conversations add column priority text not null default 'normal';
alter table public.conversations add constraint conversations_priority
    check (priority in ('low', 'normal', 'high', 'urgent')) not valid;
"""
PAYLOAD = """
create or replace function crossfade.conversation_payload(conversation public.conversations, event_id uuid, seq bigint)
returns jsonb language sql stable parallel safe as $$
    select jsonb_build_object(
        'id', conversation.id,
        'seq', seq,
        'eventId', event_id,
        'contactJid', conversation.contact_jid,
        'contactName', conversation.contact_name,
        'channel', conversation.channel,
        'status', conversation.status,{priority}
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
"""


def upgrade() -> None:
    sql.run(UP + PAYLOAD.format(priority="\n        'priority', conversation.priority,"))


def downgrade() -> None:
    sql.run(PAYLOAD.format(priority="") + "alter table public.conversations drop column priority;")
