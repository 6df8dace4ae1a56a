"""Index search and the filters of lists, without keeping anybody from writing."""

from migrations import sql

revision = "0007"
down_revision = "0006"

BACKFILL = """
update public.chat_messages m set account_id = c.user_id
from public.conversations c
where c.id = m.conversation_id and m.account_id is null and m.id > %(after)s and m.id <= %(upto)s
"""

# The vector is an expression of the index: a generated column would rewrite the whole table under an exclusive lock.
INDEXES = {
    "chat_messages_search": "public.chat_messages using gin (crossfade.search_document(content, account_id))",
    "chat_messages_account": "public.chat_messages (account_id, id)",
    "conversations_account_channel": "public.conversations"
    " (user_id, channel, (coalesce(last_message_at, created_at)) desc, id desc)",
    "conversations_account_unread": "public.conversations"
    " (user_id, (coalesce(last_message_at, created_at)) desc, id desc) where unread_count > 0",
    "conversations_account_updated": "public.conversations (user_id, updated_at)",
    "conversations_asleep": "public.conversations (snoozed_until) where status = 'snoozed'",
}


def upgrade() -> None:
    sql.run_in_batches("public.chat_messages", BACKFILL)
    sql.create_indexes(INDEXES)
    sql.run("analyze public.chat_messages; analyze public.conversations")  # an expression has no figures before


def downgrade() -> None:
    sql.drop_indexes(INDEXES)
