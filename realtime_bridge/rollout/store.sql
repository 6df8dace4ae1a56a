-- name: lock_dial
-- Held until the change is committed: of two operators the second reads what the first has done.
select flag from public.rollout_stages where flag = %(flag)s for update

-- name: get_dial
select s.flag, s.stage, s.buckets, s.version, s.revision, s.since, s.needs_approval, s.policy,
    (select a.actor from public.rollout_audit a
     where a.flag = s.flag and a.version = s.version and a.to_stage is not null order by a.id desc limit 1) as changed_by
from public.rollout_stages s where s.flag = %(flag)s

-- name: turn
update public.rollout_stages
set stage = %(stage)s, buckets = %(buckets)s, version = version + 1, revision = revision + 1, since = clock_timestamp()
where flag = %(flag)s and version = %(version)s
returning version

-- name: note
insert into public.rollout_audit (flag, actor, action, why, from_stage, to_stage, version, key_id, figures)
values (
    %(flag)s, %(actor)s, %(action)s, %(why)s, %(from_stage)s, %(to_stage)s, %(version)s, %(key_id)s, %(figures)s
)

-- name: list_audit
select id, at, actor, action, why, from_stage, to_stage, version, key_id, figures
from public.rollout_audit where flag = %(flag)s order by id desc limit %(limit)s

-- name: put_override
insert into public.rollout_overrides (flag, kind, subject, provider, why, created_by)
values (%(flag)s, %(kind)s, %(subject)s, %(provider)s, %(why)s, %(actor)s)
on conflict (flag, kind, subject) do update
set provider = excluded.provider, why = excluded.why, created_by = excluded.created_by, created_at = now()

-- name: delete_override
delete from public.rollout_overrides where flag = %(flag)s and kind = %(kind)s and subject = %(subject)s

-- name: describe_overrides
select o.kind, o.subject, u.email, o.provider, o.why, o.created_by, o.created_at
from public.rollout_overrides o left join auth.users u on u.id = o.subject
where o.flag = %(flag)s order by o.created_at desc limit %(limit)s

-- name: set_policy
update public.rollout_stages set policy = %(policy)s, revision = revision + 1 where flag = %(flag)s

-- name: set_needs_approval
update public.rollout_stages set needs_approval = %(needed)s, revision = revision + 1 where flag = %(flag)s

-- name: find_plan
select steps, state, reason, created_by, created_at, updated_at, key_id from public.rollout_plans where flag = %(flag)s

-- name: put_plan
insert into public.rollout_plans (flag, steps, state, reason, created_by, key_id)
values (%(flag)s, %(steps)s, 'running', %(why)s, %(actor)s, %(key_id)s)
on conflict (flag) do update
set steps = excluded.steps, state = 'running', reason = excluded.reason, created_by = excluded.created_by,
    key_id = excluded.key_id, created_at = now(), updated_at = now()

-- name: set_plan_state
update public.rollout_plans set state = %(state)s, reason = %(reason)s, updated_at = now()
where flag = %(flag)s and state = any(%(from_states)s)

-- name: find_request
select id, action, operator, stage, version, why, requested_by, requested_at, leave_behind, key_id
from public.rollout_approvals where flag = %(flag)s and state = 'waiting'

-- name: put_request
insert into public.rollout_approvals (
    flag, action, operator, stage, version, why, requested_by, key_id, leave_behind
)
values (
    %(flag)s, %(action)s, %(operator)s, %(stage)s, %(version)s, %(why)s, %(actor)s, %(key_id)s, %(leave_behind)s
)

-- name: withdraw_request
-- Also before a newer wish takes its place.
update public.rollout_approvals set state = 'withdrawn', decided_at = now()
where flag = %(flag)s and state = 'waiting'

-- name: approve_request
update public.rollout_approvals set state = 'approved', decided_by = %(actor)s, decided_key_id = %(key_id)s,
    decided_at = now()
where id = %(id)s

-- name: sinks
-- The runs of failures that stand now, and what a sink waits for. A failure that is older than a minute belongs to a
-- bridge that is gone, and one from before the last change of the dial to another stage.
select c.sink as side, c.last_error as cause, c.waiting_for,
    case
        when c.last_error_at > greatest(clock_timestamp() - interval '1 minute', s.since) then c.consecutive_failures
        else 0
    end as count
from public.relay_cursors c join public.rollout_stages s on s.flag = %(flag)s
where c.sink in ('legacy', 'supabase')
