-- name: create
insert into chat_attachments (id, account_id, file_name, content_type, size_bytes, storage_key)
values (%(id)s, %(account_id)s, %(file_name)s, %(content_type)s, %(size_bytes)s, %(storage_key)s)
returning id, file_name, content_type, size_bytes, storage_key, state, message_id, created_at

-- name: find
select id, file_name, content_type, size_bytes, storage_key, state, message_id, created_at
from chat_attachments
where account_id = %(account_id)s and id = %(id)s

-- name: lock_all
-- Those that are to be sent; two messages cannot take the same one.
select id, file_name, content_type, size_bytes, storage_key, state, message_id, created_at
from chat_attachments
where account_id = %(account_id)s and id = any(%(ids)s)
order by id
for update

-- name: settle
-- Once: whoever asks first decides.
update chat_attachments set state = %(state)s, confirmed_at = now()
where id = %(id)s and state = 'pending'

-- name: claim
update chat_attachments set message_id = %(message_id)s where id = any(%(ids)s)
