-- name: insert
-- The only moment the hash is written; the text is never stored.
insert into chat_api_keys (id, user_id, name, env, prefix, secret_hash, scopes, rate_limit, send_rate_limit, expires_at)
values (%(id)s, %(account_id)s, %(name)s, %(env)s, %(prefix)s, %(secret_hash)s, %(scopes)s, %(rate_limit)s,
    %(send_rate_limit)s, %(expires_at)s)
returning id, user_id as account_id, name, env, prefix, secret_hash, scopes, rate_limit, send_rate_limit, created_at,
    expires_at, revoked_at, last_used_at

-- name: find
-- A key the worker does not know yet, or no longer trusts.
select id, user_id as account_id, name, env, prefix, secret_hash, scopes, rate_limit, send_rate_limit, created_at,
    expires_at, revoked_at, last_used_at
from chat_api_keys
where id = %(id)s

-- name: list_by_ids
-- The state of everything a worker has cached, in one round trip.
select id, user_id as account_id, name, env, prefix, secret_hash, scopes, rate_limit, send_rate_limit, created_at,
    expires_at, revoked_at, last_used_at
from chat_api_keys
where id = any(%(ids)s)

-- name: list_all
-- For people: newest first; one account when asked.
select id, user_id as account_id, name, env, prefix, secret_hash, scopes, rate_limit, send_rate_limit, created_at,
    expires_at, revoked_at, last_used_at
from chat_api_keys
where user_id = coalesce(%(account_id)s, user_id)
order by created_at desc, id

-- name: revoke
-- Keeps the first moment when asked twice.
update chat_api_keys set revoked_at = coalesce(revoked_at, now())
where id = %(id)s
returning id, user_id as account_id, name, env, prefix, secret_hash, scopes, rate_limit, send_rate_limit, created_at,
    expires_at, revoked_at, last_used_at

-- name: touch
-- Locks in id order, so that two workers cannot deadlock; never moves the time back.
with used as (
    select id, at from unnest(%(ids)s::text[], %(times)s::timestamptz[]) as u (id, at)
), locked as (
    select k.id, used.at from chat_api_keys k join used on used.id = k.id order by k.id for no key update of k
)
update chat_api_keys k set last_used_at = greatest(k.last_used_at, locked.at) from locked where k.id = locked.id
