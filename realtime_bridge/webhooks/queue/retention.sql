-- name: ensure_partitions
select crossfade.ensure_webhook_partitions(0, %(weeks_ahead)s) as changed

-- name: drop_expired
select crossfade.drop_webhook_partitions(make_interval(days => %(retention_days)s)) as changed

-- name: drop_notices
delete from public.webhook_notices where created_at < now() - make_interval(days => %(retention_days)s)

-- name: drop_secrets
-- A rotated secret that has expired is of no use to anybody.
delete from public.webhook_secrets where expires_at < now() - interval '1 day'
