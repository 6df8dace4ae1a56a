-- name: ensure_user
-- The touch of updated_at is what makes the row come back when it is there already.
insert into auth.users (id, aud, role, email, email_confirmed_at, created_at, updated_at)
values (gen_random_uuid(), 'authenticated', 'authenticated', %(email)s, now(), now(), now())
on conflict (email) where not is_sso_user do update set updated_at = now()
returning id

-- name: revoke_named
-- A key whose text is lost is of no use to anybody.
update chat_api_keys set revoked_at = now()
where user_id = %(account)s and name = %(name)s and revoked_at is null

-- name: widen_named
-- The key of an earlier version learns what has come since.
update chat_api_keys set scopes = %(scopes)s
where user_id = %(account)s and name = %(name)s and revoked_at is null and scopes <> %(scopes)s
