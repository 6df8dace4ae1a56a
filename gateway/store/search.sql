-- name: search_messages
-- Newest first, in one of two ways, and not left to the planner's guess of how frequent the words are, which is wrong by
-- thousands for the beginning of a word: a walk back through the newest messages fills the page when the words are
-- frequent; when it does not, they are rare in this account, and the index finds them all: it has the account as one more
-- word. `is not distinct from` and `+ 0` keep the planner from walking there, too. The marks are control characters, which
-- the content is freed of first, so that after escaping `<mark>` is the only element in `highlight`.
with newest as materialized (
    select m.id, m.content from chat_messages m
    where m.account_id = %(account_id)s
        and (%(conversation_id)s::bigint is null or m.conversation_id = %(conversation_id)s)
        and m.id < %(before_id)s
    order by m.id desc
    limit %(walk)s
), recent as materialized (
    select newest.id from newest
    where to_tsvector('simple', newest.content) @@ to_tsquery('simple', %(words)s)
    order by newest.id desc
    limit %(fetch)s
), older as materialized (
    select m.id from chat_messages m
    where (select count(*) from recent) < %(fetch)s
        and (select count(*) from newest) = %(walk)s
        and numnode(to_tsquery('simple', %(words)s)) > 0
        and crossfade.search_document(m.content, m.account_id)
            @@ (to_tsquery('simple', %(words)s) && ('''@' || %(account_id)s::uuid::text || '''')::tsquery)
        and m.account_id is not distinct from %(account_id)s
        and (%(conversation_id)s::bigint is null or m.conversation_id is not distinct from %(conversation_id)s)
        and m.id + 0 < (select min(newest.id) from newest)
), found as (
    select recent.id from recent union all select older.id from older order by id desc limit %(fetch)s
)
select
    (crossfade.message_payload(m, m.event_id, m.seq) || jsonb_build_object('highlight', replace(replace(
        replace(replace(replace(replace(
            ts_headline(
                'simple', translate(m.content, chr(2) || chr(3), ''), to_tsquery('simple', %(words)s),
                'HighlightAll=true, StartSel="' || chr(2) || '", StopSel="' || chr(3) || '"'
            ),
            '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'),
        chr(2), '<mark>'), chr(3), '</mark>')))::text as representation,
    m.id
from found
join chat_messages m on m.id = found.id
order by found.id desc
