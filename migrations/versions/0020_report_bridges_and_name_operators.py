"""Let bridges report what they do and whom they hear, name operators, and measure what stalls."""

from migrations import sql

revision = "0020"
down_revision = "0019"

UP = """
-- What each bridge does at this moment, in its own words: readers derive from it what is fed, and by whom.
create table public.bridge_reports (
    bridge text primary key,
    provider text not null,
    sinks jsonb not null check (jsonb_typeof(sinks) = 'object'),
    feed_mode text not null,
    version bigint,
    has_canary boolean not null,
    started_at timestamptz not null default clock_timestamp(),
    seen_at timestamptz not null default clock_timestamp()
);
comment on column public.bridge_reports.bridge is 'The name under which it holds leases.';
comment on column public.bridge_reports.sinks is
    'Of each sink that it may deliver: {isFed, since}, whether it gets events while this bridge holds its lease.';
comment on column public.bridge_reports.version is 'The version of the dial that it follows; null when it is pinned.';

-- Who has sockets at the legacy side, written when that changes: whoever is left there must not be forgotten.
create table public.legacy_listeners (
    user_id uuid not null,
    bridge text not null,
    sockets integer not null check (sockets >= 0),
    heard_at timestamptz not null default clock_timestamp(),
    primary key (user_id, bridge)
);
comment on column public.legacy_listeners.heard_at is 'When the number of sockets last changed; 0: when the last one went.';
create index legacy_listeners_age on public.legacy_listeners (heard_at);

create table public.rollout_operators (
    id bigint generated always as identity primary key,
    name text not null,
    key_id text not null unique,
    key_hash bytea not null,
    created_by text not null,
    created_at timestamptz not null default now(),
    revoked_by text,
    revoked_at timestamptz
);
comment on column public.rollout_operators.key_id is 'The part of the key that may be seen, and stands in the audit.';
create unique index rollout_operators_name on public.rollout_operators (lower(name)) where revoked_at is null;

alter table public.rollout_audit add column key_id text;
comment on column public.rollout_audit.key_id is 'The operator key that proved who acted; null: nobody proved it.';
alter table public.rollout_approvals
    add column leave_behind integer not null default 0,
    add column key_id text,
    add column decided_key_id text;
alter table public.rollout_plans add column key_id text;
alter table public.rollout_sessions add column source text;
comment on column public.rollout_sessions.source is 'What decided: pin says that the gateway does not follow the dial.';

alter table public.parity_windows
    add column missed_count bigint not null default 0,
    add column rate_per_s real not null default 0,
    add column delivered_counts bigint[] not null default '{}',
    add column lag_counts bigint[] not null default '{}';
comment on column public.parity_windows.missed_count is
    'Messages that the canary''s schedule asked for and a stall kept back; latency_counts counts them, too.';
comment on column public.parity_windows.rate_per_s is 'How many messages a second the canary''s schedule asked for.';
comment on column public.parity_windows.delivered_counts is 'Histogram of commit to delivery of everybody''s events.';
comment on column public.parity_windows.lag_counts is 'Histogram of how late the loop of the delivering bridge ran.';

-- uuid5 of "crossfade:canary" (realtime_bridge/parity/canary_user.py): it is nobody, so no key opens it.
delete from public.chat_api_keys where user_id = '3a2dff9a-853e-5c26-b4fd-9cfdafe761fd';
alter table public.chat_api_keys add constraint chat_api_keys_not_of_the_canary
    check (user_id <> '3a2dff9a-853e-5c26-b4fd-9cfdafe761fd') not valid;

alter table public.bridge_reports enable row level security;
alter table public.legacy_listeners enable row level security;
alter table public.rollout_operators enable row level security;
revoke all on public.bridge_reports, public.legacy_listeners, public.rollout_operators from anon, authenticated;
revoke all on sequence public.rollout_operators_id_seq from anon, authenticated;
"""

DOWN = """
alter table public.chat_api_keys drop constraint chat_api_keys_not_of_the_canary;
alter table public.parity_windows
    drop column missed_count, drop column rate_per_s, drop column delivered_counts, drop column lag_counts;
alter table public.rollout_sessions drop column source;
alter table public.rollout_plans drop column key_id;
alter table public.rollout_approvals drop column leave_behind, drop column key_id, drop column decided_key_id;
alter table public.rollout_audit drop column key_id;
drop table public.rollout_operators;
drop table public.legacy_listeners;
drop table public.bridge_reports;
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run(DOWN)
