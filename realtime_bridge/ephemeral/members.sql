-- name: find_participants
-- With the names under which the project knows them, else what stands before the @ of their address.
select c.user_id as account_id, (
    select coalesce(jsonb_object_agg(p.user_id, left(coalesce(
        nullif(btrim(u.raw_user_meta_data ->> 'full_name'), ''),
        nullif(btrim(u.raw_user_meta_data ->> 'name'), ''),
        nullif(btrim(u.raw_user_meta_data ->> 'display_name'), ''),
        nullif(btrim(u.raw_user_meta_data ->> 'user_name'), ''),
        nullif(split_part(u.email, '@', 1), '')
    ), 100)), '{}')
    from public.conversation_participants p
    join auth.users u on u.id = p.user_id
    where p.conversation_id = c.id
) as participants
from public.conversations c
where c.id = %(conversation_id)s
