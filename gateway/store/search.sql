-- name: search_messages
-- Newest first, in one of two ways, and not left to the planner's guess of how frequent the words are, which is wrong by
-- thousands for the beginning of a word: a walk back through the newest messages fills the page when the words are
-- frequent; when it does not, the index goes on, chunk by chunk and no farther than the page needs: it has each word under
-- the account and the chunk of ids it was written in. `is not distinct from` and `+ 0` keep the planner from walking
-- there, too, and `offset 0` has it look at the words of no more candidates than the page needs. Account and chunk are
-- compared as well, for places may share a name. A beginning of one or two letters is in every message: beside whole words
-- the index is not asked for it. The marks are control characters, which the content is freed of first, so that after
-- escaping `<mark>` is the only element in `highlight`; chr(1) stands where the index has the place.
with recursive newest as materialized (
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
), term as (
    select asked.is_beginning, '''' || chr(1) || replace(replace(crossfade.search_term(found.lexeme), '\', '\\'), '''', '''''')
        || case when asked.is_beginning then ''':*' else '''' end as quoted,
        not asked.is_beginning or length(found.lexeme) > 2 as is_telling
    from (
        select unnest(%(whole)s::text[]) as word, false as is_beginning union all select %(beginning)s, true
    ) as asked
    cross join unnest(tsvector_to_array(to_tsvector('simple', asked.word))) as found (lexeme)
), pattern as materialized (
    select coalesce(string_agg(quoted, ' & ') filter (where is_telling), string_agg(quoted, ' & ')) as text from term
), chunk (number) as (
    select crossfade.search_chunk(min(newest.id)) from newest
    having count(*) = %(walk)s and (select count(*) from recent) < %(fetch)s
    union all
    select crossfade.search_chunk((
        select m.id from chat_messages m
        where m.account_id = %(account_id)s
            and (%(conversation_id)s::bigint is null or m.conversation_id = %(conversation_id)s)
            and m.id < crossfade.search_start(chunk.number)
        order by m.id desc
        limit 1
    ))
    from chunk
    where chunk.number is not null
), older as materialized (
    select in_chunk.id
    from chunk
    cross join lateral (
        select candidate.id
        from (
            select m.id + 0 as id, m.content from chat_messages m
            where crossfade.search_terms(m.content, m.account_id, m.id) @@ replace(
                    (select text from pattern), chr(1), crossfade.search_place(%(account_id)s, chunk.number)
                )::tsquery
                and m.account_id is not distinct from %(account_id)s
                and (%(conversation_id)s::bigint is null or m.conversation_id is not distinct from %(conversation_id)s)
                and crossfade.search_chunk(m.id) = chunk.number
                and m.id + 0 < (select min(newest.id) from newest)
            order by m.id + 0 desc
            offset 0
        ) as candidate
        where to_tsvector('simple', candidate.content) @@ to_tsquery('simple', %(words)s)
        order by candidate.id desc
        limit %(fetch)s
    ) as in_chunk
    limit %(fetch)s
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
