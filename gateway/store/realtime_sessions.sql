-- name: is_member
-- The account's own user, or somebody who takes part in a conversation of the account and whom it may still name.
select %(user_id)s::uuid = %(account_id)s::uuid or (crossfade.belongs(%(account_id)s, %(user_id)s) and exists (
    select from conversation_participants p join conversations c on c.id = p.conversation_id
    where p.user_id = %(user_id)s and c.user_id = %(account_id)s
))

-- name: list_conversations
-- Those that are asked for, or the latest ones.
select c.id, c.last_seq
from conversation_participants p join conversations c on c.id = p.conversation_id
where p.user_id = %(user_id)s and c.user_id = %(account_id)s
    and (%(conversation_ids)s::bigint[] is null or c.id = any(%(conversation_ids)s))
order by coalesce(c.last_message_at, c.created_at) desc, c.id desc
limit %(limit)s

-- name: note_told
-- For `rollout.changed`, and to know who has moved: who holds which answer.
insert into rollout_sessions (user_id, account_id, provider, expires_at)
values (%(user_id)s, %(account_id)s, %(provider)s, %(expires_at)s)
on conflict (user_id, account_id) do update
set provider = excluded.provider, told_at = now(), expires_at = excluded.expires_at
