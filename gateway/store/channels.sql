-- name: lock_account
-- Counting and inserting must not race.
select pg_advisory_xact_lock(hashtextextended('channels ' || %(account_id)s::text, 0))

-- name: count_channels
select count(*) from chat_channels where user_id = %(account_id)s

-- name: insert
insert into chat_channels (id, user_id, kind, name, base_url, provider_user_id, sealed_token, sealed_hmac_key, enabled)
values (%(id)s, %(account_id)s, %(kind)s, %(name)s, %(base_url)s, %(provider_user_id)s, %(sealed_token)s,
    %(sealed_hmac_key)s, %(enabled)s)
returning id, kind, name, base_url, provider_user_id, enabled, consecutive_failures, last_error, last_error_at,
    created_at, updated_at

-- name: list_some
-- All of the account, or one.
select id, kind, name, base_url, provider_user_id, enabled, consecutive_failures, last_error, last_error_at,
    created_at, updated_at
from chat_channels
where user_id = %(account_id)s and id = coalesce(%(id)s, id)
order by name

-- name: update
-- Null keeps what is there. A changed channel is tried again at once.
update chat_channels set
    base_url = coalesce(%(base_url)s, base_url),
    provider_user_id = case when %(clears_provider_user_id)s then null else coalesce(%(provider_user_id)s, provider_user_id) end,
    sealed_token = coalesce(%(sealed_token)s, sealed_token),
    sealed_hmac_key = coalesce(%(sealed_hmac_key)s, sealed_hmac_key),
    enabled = coalesce(%(enabled)s, enabled),
    retry_at = null,
    updated_at = clock_timestamp()
where user_id = %(account_id)s and id = %(id)s
returning id, kind, name, base_url, provider_user_id, enabled, consecutive_failures, last_error, last_error_at,
    created_at, updated_at

-- name: delete
delete from chat_channels where user_id = %(account_id)s and id = %(id)s returning id
