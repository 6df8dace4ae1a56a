-- name: find_place
-- The newest event's number and whose conversation it is, for a member only: a stranger, somebody whom the account may
-- not name any more, a token from before an eviction and an unknown id get the same answer, no row.
select c.last_seq, c.user_id as account_id
from public.conversations c
where c.id = %(conversation_id)s and crossfade.takes_part(c.id, %(user_id)s, to_timestamp(%(issued_at)s))

-- name: read_events
-- What a reconnecting client missed, oldest first, as the relay would have read it.
select
    e.id, e.event_id, e.account_id, e.conversation_id, e.seq, e.type, e.payload::text as payload, e.origin,
    case when e.created_at between '0001-01-02' and '9999-12-30' then e.created_at end as created_at,
    array(
        select p.user_id from public.conversation_participants p
        where p.conversation_id = e.conversation_id order by p.user_id
    ) as participants,
    exists (
        select from public.chat_account_settings s where s.account_id = e.account_id and s.content_html
    ) as wants_html
from public.chat_events e
where e.conversation_id = %(conversation_id)s and e.seq > %(after_seq)s
    and (select crossfade.takes_part(%(conversation_id)s, %(user_id)s, to_timestamp(%(issued_at)s)))
order by e.seq
limit %(limit)s
