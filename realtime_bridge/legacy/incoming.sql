-- name: find_member
-- Whose conversation it is and what the sender is in it; no row for a stranger or whom the account may not name any more,
-- as for an unknown id.
select c.user_id as account_id, p.role
from public.conversations c
join public.conversation_participants p on p.conversation_id = c.id
where c.id = %(conversation_id)s and p.user_id = %(user_id)s
    and crossfade.takes_part(c.id, p.user_id, to_timestamp(%(issued_at)s))

-- name: find_first
-- What the first send with this clientMessageId became, and whether this one says the same.
select id, seq, event_id,
    content = %(content)s and sender_id is not distinct from %(sender_id)s and message_type = %(message_type)s as same
from public.chat_messages
where conversation_id = %(conversation_id)s and client_message_id = %(client_message_id)s

-- name: mark_read
-- Mark, unread count and event, as over REST; null for who takes no part.
select case
    when crossfade.takes_part(%(conversation_id)s, %(user_id)s, to_timestamp(%(issued_at)s))
    then crossfade.mark_read(%(conversation_id)s, %(user_id)s, %(seq)s)
end as has_changed
