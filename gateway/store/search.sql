-- name: search_messages
-- Newest first. The words come as a tsquery's text; what the planner knows of their frequency decides between the index
-- of words and walking back through the account. The marks are control characters, which the content is freed of first,
-- so that after escaping `<mark>` is the only element in `highlight`.
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
from (
    select m.id from chat_messages m
    where m.account_id = %(account_id)s
        and to_tsvector('simple', m.content) @@ to_tsquery('simple', %(words)s)
        and (%(conversation_id)s::bigint is null or m.conversation_id = %(conversation_id)s)
        and m.id < %(before_id)s
    order by m.id desc
    limit %(fetch)s
) as found
join chat_messages m on m.id = found.id
order by found.id desc
