-- name: list_participants
select p.user_id, p.role, jsonb_build_object(
    'userId', p.user_id, 'role', p.role, 'lastReadSeq', p.last_read_seq, 'joinedAt', crossfade.iso8601(p.joined_at)
)::text as representation
from conversation_participants p
where p.conversation_id = %(conversation_id)s
order by p.role <> 'owner', p.user_id

-- name: store_participant
insert into conversation_participants (conversation_id, user_id, role)
values (%(conversation_id)s, %(user_id)s, %(role)s)
on conflict (conversation_id, user_id) do update set role = excluded.role

-- name: remove_participant
delete from conversation_participants where conversation_id = %(conversation_id)s and user_id = %(user_id)s

-- name: mark_read
-- Mark, unread count and event; as for legacy clients.
select crossfade.mark_read(%(conversation_id)s, %(user_id)s, %(seq)s)
