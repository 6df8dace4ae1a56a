-- name: insert_session
insert into auth.sessions (id, user_id, created_at, updated_at)
values (%(id)s, %(user_id)s, now(), now())

-- name: insert_token
insert into auth.refresh_tokens (token, user_id, revoked, parent, session_id, created_at, updated_at)
values (%(token)s, %(user_id)s::text, false, %(parent)s, %(session_id)s, now(), now())

-- name: lock_token
-- Locked, so that two tabs that refresh at the same moment take turns.
select t.user_id::uuid, t.session_id, t.revoked, t.updated_at < now() - make_interval(secs => %(reuse_s)s)
from auth.refresh_tokens t
join auth.sessions s on s.id = t.session_id
where t.token = %(token)s
for update of t

-- name: child_token
select token
from auth.refresh_tokens
where parent = %(token)s and not revoked
order by id desc
limit 1

-- name: revoke_token
update auth.refresh_tokens
set revoked = true, updated_at = now()
where token = %(token)s

-- name: session_exists
select 1
from auth.sessions
where id = %(id)s

-- name: delete_sessions
-- scope: local ends one session, others all but one, global all.
delete from auth.sessions
where user_id = %(user_id)s
    and case %(scope)s::text
        when 'local' then id = %(session_id)s
        when 'others' then id <> %(session_id)s
        else true
    end

-- name: delete_session
delete from auth.sessions
where id = %(id)s
