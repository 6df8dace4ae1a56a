-- name: find_participants
-- With the names under which the project knows them.
select c.user_id as account_id, (
    select coalesce(jsonb_object_agg(p.user_id, crossfade.user_name(u.raw_user_meta_data, u.email)), '{}')
    from public.conversation_participants p
    join auth.users u on u.id = p.user_id
    where p.conversation_id = c.id
) as participants
from public.conversations c
where c.id = %(conversation_id)s
