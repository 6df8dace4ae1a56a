"""Create the dial: the current stage of each flag, exceptions, plans, approvals, judged windows and the audit."""

from migrations import sql

revision = "0013"
down_revision = "0012"

UP = """
-- One row per flag is the whole truth about a rollout. `version` counts changes of the stage: whoever changes it says
-- which one was seen, so that of two operators the second is told. `revision` counts everything that readers cache.
create table public.rollout_stages (
    flag text primary key,
    stage text not null default 'off' check (stage in ('off', 'shadow', 'ramp', 'complete')),
    buckets integer not null default 0,
    version bigint not null default 1,
    revision bigint not null default 1,
    since timestamptz not null default now(),
    needs_approval boolean not null default false,
    policy jsonb not null default '{}' check (jsonb_typeof(policy) = 'object'),
    check (buckets = case stage when 'complete' then 10000 when 'ramp' then buckets else 0 end),
    check (stage <> 'ramp' or buckets between 1 and 10000)
);
comment on column public.rollout_stages.buckets is 'How many of the 10,000 buckets are told Supabase.';
comment on column public.rollout_stages.policy is 'What differs from the defaults of the gate.';
insert into public.rollout_stages (flag) values ('chat_realtime_provider');

create table public.rollout_overrides (
    flag text not null references public.rollout_stages (flag) on delete cascade,
    kind text not null check (kind in ('user', 'account')),
    subject uuid not null,
    provider text not null check (provider in ('socketio', 'supabase')),
    why text not null,
    created_by text not null,
    created_at timestamptz not null default now(),
    primary key (flag, kind, subject)
);

create table public.rollout_audit (
    id bigint generated always as identity primary key,
    flag text not null,
    at timestamptz not null default clock_timestamp(),
    actor text not null,
    action text not null,
    why text not null,
    from_stage text,
    to_stage text,
    version bigint not null,
    figures jsonb
);
comment on column public.rollout_audit.figures is 'What the gate measured when this was decided.';
create index rollout_audit_flag on public.rollout_audit (flag, id desc);

create function crossfade.refuse_rewriting() returns trigger
language plpgsql set search_path = '' as $$
begin
    raise exception 'The audit is only ever added to.';
end
$$;
create trigger refuse_rewriting before update or delete on public.rollout_audit
    for each row execute function crossfade.refuse_rewriting();

create table public.rollout_plans (
    flag text primary key references public.rollout_stages (flag) on delete cascade,
    steps text[] not null check (cardinality(steps) > 0),
    state text not null default 'running' check (state in ('running', 'paused', 'stopped', 'done')),
    reason text not null,
    created_by text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

-- At most one wish per flag waits for its second operator.
create table public.rollout_approvals (
    id bigint generated always as identity primary key,
    flag text not null references public.rollout_stages (flag) on delete cascade,
    stage text not null,
    version bigint not null,
    why text not null,
    requested_by text not null,
    requested_at timestamptz not null default now(),
    state text not null default 'waiting' check (state in ('waiting', 'approved', 'withdrawn')),
    decided_by text,
    decided_at timestamptz,
    check (decided_by is distinct from requested_by or state <> 'approved')
);
create unique index rollout_approvals_waiting on public.rollout_approvals (flag) where state = 'waiting';

-- Windows that a gate has closed, each once; they are judged again with every later one.
create table public.rollout_windows (
    flag text not null,
    version bigint not null,
    number integer not null,
    started_at timestamptz not null,
    ended_at timestamptz not null,
    sides jsonb not null check (jsonb_typeof(sides) = 'object'),
    primary key (flag, version, number)
);

-- Which bridge judges; `verdict` is its last word, and a reader knows by the lease whether it still speaks.
create table public.rollout_keepers (
    flag text primary key,
    lease_owner text,
    lease_token bigint not null default 0,
    lease_until timestamptz not null default '-infinity',
    announced_version bigint not null default 0,
    announced_revision bigint not null default 0,
    verdict jsonb,
    judged_at timestamptz
);

-- Who was told what: after a change exactly those are asked to ask again for whom the answer differs.
create table public.rollout_sessions (
    user_id uuid not null,
    account_id uuid not null,
    provider text not null,
    told_at timestamptz not null default now(),
    expires_at timestamptz not null,
    primary key (user_id, account_id)
);
create index rollout_sessions_expiry on public.rollout_sessions (expires_at);

create function crossfade.announce_rollout() returns trigger
language plpgsql set search_path = '' as $$
begin
    if tg_table_name = 'rollout_overrides' then
        update public.rollout_stages set revision = revision + 1 where flag = coalesce(new.flag, old.flag);
    else
        perform pg_notify('rollout', new.flag);
    end if;
    return null;
end
$$;
create trigger announce_rollout after insert or update on public.rollout_stages
    for each row execute function crossfade.announce_rollout();
create trigger announce_rollout after insert or update or delete on public.rollout_overrides
    for each row execute function crossfade.announce_rollout();

alter table public.rollout_stages enable row level security;
alter table public.rollout_overrides enable row level security;
alter table public.rollout_audit enable row level security;
alter table public.rollout_plans enable row level security;
alter table public.rollout_approvals enable row level security;
alter table public.rollout_windows enable row level security;
alter table public.rollout_keepers enable row level security;
alter table public.rollout_sessions enable row level security;
revoke all on public.rollout_stages, public.rollout_overrides, public.rollout_audit, public.rollout_plans,
    public.rollout_approvals, public.rollout_windows, public.rollout_keepers, public.rollout_sessions
    from anon, authenticated;
"""

DOWN = """
drop table public.rollout_sessions;
drop table public.rollout_keepers;
drop table public.rollout_windows;
drop table public.rollout_approvals;
drop table public.rollout_plans;
drop table public.rollout_audit;
drop table public.rollout_overrides;
drop table public.rollout_stages;
drop function crossfade.announce_rollout();
drop function crossfade.refuse_rewriting();
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run(DOWN)
