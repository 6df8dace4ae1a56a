-- name: ensure
insert into public.rollout_keepers (flag, announced_revision)
select flag, revision from public.rollout_stages where flag = %(flag)s
on conflict (flag) do nothing

-- name: claim
-- Taken when free or expired, kept when ours; one statement, by the database's clock.
update public.rollout_keepers
set lease_token = case when lease_owner = %(owner)s then lease_token else lease_token + 1 end,
    lease_owner = %(owner)s,
    lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
where flag = %(flag)s and (lease_until < clock_timestamp() or lease_owner = %(owner)s)
returning lease_token as token, announced_revision

-- name: release
update public.rollout_keepers set lease_owner = null, lease_until = '-infinity'
where flag = %(flag)s and lease_owner = %(owner)s

-- name: note_announced
update public.rollout_keepers set announced_revision = %(revision)s
where flag = %(flag)s and lease_token = %(token)s

-- name: has_keeper
select true from public.rollout_keepers where flag = %(flag)s and lease_until > clock_timestamp()

-- name: list_windows
-- The newest of this version of the dial, oldest first.
select number, started_at, ended_at, sides from (
    select number, started_at, ended_at, sides from public.rollout_windows
    where flag = %(flag)s and version = %(version)s order by number desc limit %(limit)s
) as newest order by number

-- name: add_window
-- Two keepers at once (a lease that ran out in between) close the same window: the first one counts.
insert into public.rollout_windows (flag, version, number, started_at, ended_at, sides)
values (%(flag)s, %(version)s, %(number)s, %(started_at)s, %(ended_at)s, %(sides)s)
on conflict (flag, version, number) do nothing

-- name: forget_windows
delete from public.rollout_windows where ended_at < now() - make_interval(days => %(days)s)
