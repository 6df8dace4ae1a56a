-- name: list
-- Each with who began the line that leads to it: from whoever was shown a key to who was shown his, and so on.
with recursive line as (
    select id as operator, id, added_by, name from public.rollout_operators
    union all
    select l.operator, o.id, o.added_by, o.name from line l join public.rollout_operators o on o.id = l.added_by
)
select o.name, o.key_id, o.created_by, o.created_at, o.revoked_by, o.revoked_at, l.name as line_of, l.id as line
from public.rollout_operators o join line l on l.operator = o.id and l.added_by is null
order by o.revoked_at is not null, lower(o.name), o.id

-- name: find
select name, key_hash from public.rollout_operators where key_id = %(key_id)s and revoked_at is null

-- name: add
insert into public.rollout_operators (name, key_id, key_hash, created_by, added_by)
values (
    %(name)s, %(key_id)s, %(key_hash)s, %(by)s,
    (select o.id from public.rollout_operators o where o.key_id = %(shown_to)s)
)
on conflict (lower(name)) where revoked_at is null do nothing
returning id

-- name: revoke
update public.rollout_operators set revoked_at = now(), revoked_by = %(by)s
where lower(name) = lower(%(name)s) and revoked_at is null
returning key_id
