-- name: find_member
-- Whose conversation it is and what the sender is in it; no row for a stranger, as for an unknown id.
select c.user_id as account_id, p.role
from public.conversations c
join public.conversation_participants p on p.conversation_id = c.id
where c.id = %(conversation_id)s and p.user_id = %(user_id)s

-- name: find_first
-- What the first send with this clientMessageId became, and whether this one says the same.
select id, seq, event_id,
    content = %(content)s and sender_id is not distinct from %(sender_id)s and message_type = %(message_type)s as same
from public.chat_messages
where conversation_id = %(conversation_id)s and client_message_id = %(client_message_id)s

-- name: lock_membership
-- A statement of its own: what the next one counts must be as it is under the lock.
select c.id
from public.conversations c
join public.conversation_participants p on p.conversation_id = c.id
where c.id = %(conversation_id)s and p.user_id = %(user_id)s
for no key update of c

-- name: mark_read
-- Forward only. When somebody of the account's own people has read, the number of unread messages follows, and that is
-- an event like every other change of the conversation.
with receipt as (
    update public.conversation_participants p
    set last_read_seq = least(%(seq)s, c.last_seq)
    from public.conversations c
    where p.conversation_id = %(conversation_id)s and p.user_id = %(user_id)s and c.id = p.conversation_id
        and p.last_read_seq < least(%(seq)s, c.last_seq)
    returning p.role, p.last_read_seq
), unread as (
    select count(m.id)::integer as left_over
    from receipt
    left join public.chat_messages m on m.conversation_id = %(conversation_id)s
        and m.direction = 'incoming' and m.status <> 'read' and m.seq > receipt.last_read_seq
    where receipt.role <> 'client'
    group by receipt.role
), conversation as (
    update public.conversations c
    set last_seq = c.last_seq + 1, unread_count = unread.left_over, updated_at = clock_timestamp()
    from unread
    where c.id = %(conversation_id)s and unread.left_over < c.unread_count
    returning c.*
)
insert into public.chat_events (event_id, account_id, conversation_id, seq, type, payload, created_at)
select %(event_id)s, c.user_id, c.id, c.last_seq, 'conversation.updated',
    crossfade.conversation_payload(c, %(event_id)s, c.last_seq), c.updated_at
from conversation c
