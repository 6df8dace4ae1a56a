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

-- name: insert_identity
insert into auth.identities (provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at)
values (%(id)s::text, %(id)s, %(data)s, 'email', now(), now(), now())

-- name: user_by_email
select id, encrypted_password
from auth.users
where email = %(email)s and not is_sso_user and deleted_at is null

-- name: user_by_id
-- The user as clients see it, identities included.
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
)
from auth.users u
where u.id = %(id)s and u.deleted_at is null

-- name: mark_signed_in
update auth.users
set last_sign_in_at = now(), updated_at = now()
where id = %(id)s

-- name: update_user
update auth.users
set
    raw_user_meta_data = coalesce(raw_user_meta_data, '{}') || %(user_metadata)s::jsonb,
    encrypted_password = coalesce(%(password)s, encrypted_password),
    email = coalesce(%(email)s, email),
    updated_at = now()
where id = %(id)s
