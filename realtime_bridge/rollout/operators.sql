-- name: count
select count(*) as operators from public.rollout_operators where revoked_at is null

-- name: list
select name, key_id, created_by, created_at, revoked_by, revoked_at
from public.rollout_operators order by revoked_at is not null, lower(name), id

-- name: find
select name, key_hash from public.rollout_operators where key_id = %(key_id)s and revoked_at is null

-- name: add
insert into public.rollout_operators (name, key_id, key_hash, created_by)
values (%(name)s, %(key_id)s, %(key_hash)s, %(by)s)
on conflict (lower(name)) where revoked_at is null do nothing
returning id

-- name: revoke
update public.rollout_operators set revoked_at = now(), revoked_by = %(by)s
where lower(name) = lower(%(name)s) and revoked_at is null
returning key_id
