-- name: find_participants
select c.user_id as account_id, array(
    select p.user_id from public.conversation_participants p where p.conversation_id = c.id
) as participants
from public.conversations c
where c.id = %(conversation_id)s
