-- name: stages
-- Where the dial stood when the stretch began, and each change since.
(
    select %(since)s::timestamptz as at, to_stage as stage from public.rollout_audit
    where flag = %(flag)s and to_stage is not null and at <= %(since)s
    order by id desc limit 1
)
union all
select at, to_stage from public.rollout_audit
where flag = %(flag)s and to_stage is not null and at > %(since)s and at <= %(until)s
order by at
