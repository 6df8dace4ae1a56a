-- name: list_told
-- A token may have run out while its socket lives on, so those of the last day are asked, too. By keyset, in batches.
select user_id, account_id, provider from public.rollout_sessions
where (user_id, account_id) > (%(after_user)s, %(after_account)s) and expires_at > now() - interval '1 day'
order by user_id, account_id limit %(limit)s

-- name: forget
delete from public.rollout_sessions where expires_at < now() - interval '2 days'
