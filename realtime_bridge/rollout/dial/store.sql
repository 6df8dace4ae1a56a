-- name: find_dial
select flag, stage, buckets, version, revision, since from public.rollout_stages where flag = %(flag)s

-- name: list_overrides
select kind, subject, provider from public.rollout_overrides where flag = %(flag)s
