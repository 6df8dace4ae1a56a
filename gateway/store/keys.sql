-- name: insert
-- The only moment the hash is written; the text is never stored.
insert into chat_api_keys (id, user_id, name, env, prefix, secret_hash, scopes, rate_limit, send_rate_limit, expires_at)
values (%(id)s, %(account_id)s, %(name)s, %(env)s, %(prefix)s, %(secret_hash)s, %(scopes)s, %(rate_limit)s,
    %(send_rate_limit)s, %(expires_at)s)
returning id, user_id as account_id, name, env, prefix, secret_hash, scopes, rate_limit, send_rate_limit, created_at,
    expires_at, revoked_at, last_used_at, replaced_by

-- name: list_by_ids
-- With what their accounts may and want: one key, or the state of everything that a worker has cached, in one round trip.
select k.id, k.user_id as account_id, k.name, k.env, k.prefix, k.secret_hash, k.scopes, k.rate_limit, k.send_rate_limit,
    k.created_at, k.expires_at, k.revoked_at, k.last_used_at, k.replaced_by, strongest.account_rate_limit,
    strongest.account_send_rate_limit, exists (
        select from public.chat_account_settings s where s.account_id = k.user_id and s.content_html
    ) as wants_html
from chat_api_keys k
cross join lateral (
    select max(o.rate_limit) as account_rate_limit, max(o.send_rate_limit) as account_send_rate_limit
    from chat_api_keys o
    where o.user_id = k.user_id and o.revoked_at is null and (o.expires_at is null or o.expires_at > now())
        and (o.rate_limit is not null or o.send_rate_limit is not null)
) as strongest
where k.id = any(%(ids)s)

-- name: revoke
-- Keeps the first moment when asked twice.
update chat_api_keys set revoked_at = coalesce(revoked_at, now())
where id = %(id)s
returning id, user_id as account_id, name, env, prefix, secret_hash, scopes, rate_limit, send_rate_limit, created_at,
    expires_at, revoked_at, last_used_at, replaced_by

-- name: touch
-- Locks in id order, so that two workers cannot deadlock; never moves the time back.
with used as (
    select id, at from unnest(%(ids)s::text[], %(times)s::timestamptz[]) as u (id, at)
), locked as (
    select k.id, used.at from chat_api_keys k join used on used.id = k.id order by k.id for no key update of k
)
update chat_api_keys k set last_used_at = greatest(k.last_used_at, locked.at) from locked where k.id = locked.id

-- name: lock_account
-- Keys of one account are counted and made one after the other.
select pg_advisory_xact_lock(hashtextextended('chat_api_keys ' || %(account_id)s::text, 0))

-- name: count_active
select count(*) from chat_api_keys
where user_id = %(account_id)s and revoked_at is null and (expires_at is null or expires_at > now())

-- name: list_some
-- Newest first, after the key that ended the page before; without an account, everybody's.
select k.id, k.user_id as account_id, k.name, k.env, k.prefix, k.secret_hash, k.scopes, k.rate_limit, k.send_rate_limit,
    k.created_at, k.expires_at, k.revoked_at, k.last_used_at, k.replaced_by
from chat_api_keys k
where (%(account_id)s::uuid is null or k.user_id = %(account_id)s)
    and (%(after)s::text is null or (k.created_at, k.id) < (
        select a.created_at, a.id from chat_api_keys a where a.id = %(after)s and a.user_id = %(account_id)s
    ))
order by k.created_at desc, k.id desc
limit %(fetch)s

-- name: lock
-- A key is rotated once: the second caller sees what the first one did.
select id, user_id as account_id, name, env, prefix, secret_hash, scopes, rate_limit, send_rate_limit, created_at,
    expires_at, revoked_at, last_used_at, replaced_by
from chat_api_keys
where id = %(id)s and user_id = %(account_id)s
for no key update

-- name: replace
-- An end that was nearer stays.
update chat_api_keys set replaced_by = %(replaced_by)s, expires_at = least(expires_at, %(expires_at)s)
where id = %(id)s
returning id, user_id as account_id, name, env, prefix, secret_hash, scopes, rate_limit, send_rate_limit, created_at,
    expires_at, revoked_at, last_used_at, replaced_by
