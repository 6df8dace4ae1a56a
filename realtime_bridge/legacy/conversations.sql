-- name: find_last_seq
-- The newest event's number, for a member only: a stranger and an unknown id get the same answer, no row.
select c.last_seq
from public.conversations c
join public.conversation_participants p on p.conversation_id = c.id
where c.id = %(conversation_id)s and p.user_id = %(user_id)s

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
where e.conversation_id = %(conversation_id)s and e.seq > %(after_seq)s and exists (
    select from public.conversation_participants p
    where p.conversation_id = %(conversation_id)s and p.user_id = %(user_id)s
)
order by e.seq
limit %(limit)s
