"""Index words by account and by chunk of ids, so that a search reads no farther back than its page needs.

And let the indexes of conversations answer two filters at once: a page's total is counted without looking at the rows.
"""

from migrations import sql

revision = "0015"
down_revision = "0014"

UP = """
-- A GIN index knows no order: with all of an account's messages under one word, twenty of them cost as much as all. So
-- each word stands under the account and a chunk of ids, and a search asks for one chunk after the other. Smaller ones
-- make a rare word of a large account dear, larger ones a frequent word: 131,072 ids hold at most some thousand messages
-- with a word that a walk through the newest did not fill the page with.
create or replace function crossfade.search_chunk(id bigint) returns bigint
language sql immutable parallel safe as $$ select id >> 17 $$;
create or replace function crossfade.search_start(chunk bigint) returns bigint
language sql immutable parallel safe as $$ select chunk << 17 $$;

-- Short, because it is in every key of the index. Two places may share a name: a search compares account and chunk, too,
-- so that it costs a look, not a message found twice.
create or replace function crossfade.search_place(account_id uuid, chunk bigint) returns text
language sql immutable parallel safe as $$
    select left(encode(sha256(coalesce(uuid_send(account_id), '') || int8send(chunk)), 'hex'), 8)
$$;

-- A lexeme with its place must fit into 2,046 bytes, or the message could not be stored.
create or replace function crossfade.search_term(lexeme text) returns text
language sql immutable parallel safe as $$ select left(lexeme, 64) $$;

create or replace function crossfade.search_terms(content text, account_id uuid, id bigint) returns tsvector
language plpgsql immutable parallel safe as $$
declare
    place text := crossfade.search_place(account_id, crossfade.search_chunk(id));
begin
    return array_to_tsvector(array(
        select place || crossfade.search_term(lexeme)
        from unnest(tsvector_to_array(to_tsvector('pg_catalog.simple'::regconfig, content))) as lexeme
    ));
end
$$;
"""
SORT = "(coalesce(last_message_at, created_at)) desc, id desc"
OLD = {
    "chat_messages_search": "public.chat_messages using gin (crossfade.search_document(content, account_id))",
    "conversations_account_status": f"public.conversations (user_id, status, {SORT})",
    "conversations_account_channel": f"public.conversations (user_id, channel, {SORT})",
    "conversations_account_unread": f"public.conversations (user_id, {SORT}) where unread_count > 0",
}
NEW = {
    # What waits to be sorted in is read whole for every chunk: 64 kB (the least) cost nothing to write, 4 MB took 0.7 ms.
    "chat_messages_words": "public.chat_messages using gin (crossfade.search_terms(content, account_id, id))"
    " with (gin_pending_list_limit = 64)",
    "conversations_of_status": f"public.conversations (user_id, status, {SORT}) include (channel)",
    "conversations_of_channel": f"public.conversations (user_id, channel, {SORT}) include (status)",
    "conversations_unread": f"public.conversations (user_id, {SORT}) include (status, channel) where unread_count > 0",
}
ANALYZE = "analyze public.chat_messages; analyze public.conversations"  # an expression has no figures before


def upgrade() -> None:
    """The old index goes, its function stays for a later version to drop.

    Gateways of the version before call it until they are restarted: without the index they search slower, without the
    function not at all.
    """
    sql.run(UP)
    sql.create_indexes(NEW)
    sql.run(ANALYZE)
    sql.drop_indexes(OLD)


def downgrade() -> None:
    sql.create_indexes(OLD)
    sql.run(ANALYZE)
    sql.drop_indexes(NEW)
    for function in (
        "search_terms(text, uuid, bigint)",
        "search_term(text)",
        "search_place(uuid, bigint)",
        "search_start(bigint)",
        "search_chunk(bigint)",
    ):
        sql.run(f"drop function if exists crossfade.{function}")
