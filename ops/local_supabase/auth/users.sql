-- name: insert_user
insert into auth.users (
    instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, last_sign_in_at,
    raw_app_meta_data, raw_user_meta_data, created_at, updated_at, is_anonymous
)
values (
    '00000000-0000-0000-0000-000000000000', %(id)s, 'authenticated', 'authenticated', %(email)s::text, %(password)s,
    case when %(email)s::text is null then null else now() end, now(),
    %(app_metadata)s, %(user_metadata)s, now(), now(), %(anonymous)s
)

-- name: put_identity
insert into auth.identities (provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at)
values (%(id)s::text, %(id)s, %(data)s, 'email', now(), now(), now())
on conflict (provider_id, provider) do update
set identity_data = identities.identity_data || excluded.identity_data, updated_at = now()

-- name: user_by_email
select id, encrypted_password
from auth.users
where email = %(email)s and not is_sso_user and deleted_at is null

-- name: find_users
-- As clients see them, identities included: one by id, or a page of all, the newest first.
select jsonb_build_object(
    'id', u.id,
    'aud', coalesce(u.aud, 'authenticated'),
    'role', coalesce(u.role, 'authenticated'),
    'email', coalesce(u.email, ''),
    'email_confirmed_at', u.email_confirmed_at,
    'phone', coalesce(u.phone, ''),
    'confirmed_at', u.confirmed_at,
    'last_sign_in_at', u.last_sign_in_at,
    'app_metadata', coalesce(u.raw_app_meta_data, '{}'),
    'user_metadata', coalesce(u.raw_user_meta_data, '{}'),
    'identities', coalesce(
        (
            select jsonb_agg(jsonb_build_object(
                'identity_id', i.id,
                'id', i.provider_id,
                'user_id', i.user_id,
                'identity_data', i.identity_data,
                'provider', i.provider,
                'last_sign_in_at', i.last_sign_in_at,
                'created_at', i.created_at,
                'updated_at', i.updated_at,
                'email', i.email
            ))
            from auth.identities i
            where i.user_id = u.id
        ),
        '[]'
    ),
    'created_at', u.created_at,
    'updated_at', u.updated_at,
    'is_anonymous', u.is_anonymous
) || jsonb_strip_nulls(jsonb_build_object('banned_until', u.banned_until, 'deleted_at', u.deleted_at))
from auth.users u
where (%(id)s::uuid is null or u.id = %(id)s)
    and (u.email like %(wanted)s or u.raw_user_meta_data ->> 'full_name' ilike %(wanted)s or %(wanted)s = '%%')
order by u.created_at desc, u.id
limit %(limit)s offset %(skip)s

-- name: count_users
select count(*)
from auth.users u
where u.email like %(wanted)s or u.raw_user_meta_data ->> 'full_name' ilike %(wanted)s or %(wanted)s = '%%'

-- name: mark_signed_in
update auth.users
set last_sign_in_at = now(), updated_at = now()
where id = %(id)s

-- name: update_user
update auth.users
set
    raw_user_meta_data = (coalesce(raw_user_meta_data, '{}') || %(metadata)s::jsonb)
        - array(select key from jsonb_each(%(metadata)s::jsonb) where value = 'null'),
    raw_app_meta_data = (coalesce(raw_app_meta_data, '{}') || %(app_metadata)s::jsonb)
        - array(select key from jsonb_each(%(app_metadata)s::jsonb) where value = 'null'),
    encrypted_password = coalesce(%(password)s, encrypted_password),
    email = coalesce(%(email)s, email),
    role = coalesce(%(role)s, role),
    banned_until = case
        when %(ban_s)s::float8 is null then banned_until
        when %(ban_s)s::float8 > 0 then now() + make_interval(secs => %(ban_s)s::float8)
    end,
    updated_at = now()
where id = %(id)s

-- name: delete_user
delete from auth.users
where id = %(id)s

-- name: forget_user
-- As Auth does it: what could tell whose it was becomes a hash, or goes.
update auth.users
set
    email = translate(encode(sha256(convert_to(id || email, 'utf8')), 'base64'), '+/=', '-_'),
    phone = left(translate(encode(sha256(convert_to(id || coalesce(phone, ''), 'utf8')), 'base64'), '+/=', '-_'), 15),
    encrypted_password = null,
    raw_user_meta_data = '{}',
    raw_app_meta_data = '{}',
    deleted_at = now(),
    updated_at = now()
where id = %(id)s

-- name: forget_identities
update auth.identities
set
    provider_id = translate(
        encode(sha256(convert_to(user_id || provider || ':' || provider_id, 'utf8')), 'base64'), '+/=', '-_'
    ),
    identity_data = '{}',
    updated_at = now()
where user_id = %(id)s

