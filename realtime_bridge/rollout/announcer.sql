-- name: list_told
-- By keyset, in batches.
select user_id, account_id, provider, expires_at > now() as is_live from public.rollout_sessions
where (user_id, account_id) > (%(after_user)s, %(after_account)s) and expires_at > now() - make_interval(secs => %(expired_s)s)
order by user_id, account_id limit %(limit)s

-- name: forget
delete from public.rollout_sessions where expires_at < now() - interval '2 days'
