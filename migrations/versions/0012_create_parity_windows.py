"""Create the windows in which each side of a rollout is measured; gates decide by them."""

from migrations import sql

revision = "0012"
down_revision = "0011"

UP = """
-- One row per flag, side and time slot. Writers add to it (realtime_bridge/rollout/windows.py), so several may write.
-- A slot counts what was decided in it: a message is lost in the slot in which its time ran out.
create table public.parity_windows (
    flag text not null,
    side text not null check (side in ('legacy', 'supabase')),
    window_start timestamptz not null,
    sent_count bigint not null default 0 check (sent_count >= 0),
    seen_count bigint not null default 0 check (seen_count >= 0),
    lost_count bigint not null default 0 check (lost_count >= 0),
    repeated_count bigint not null default 0 check (repeated_count >= 0),
    reordered_count bigint not null default 0 check (reordered_count >= 0),
    attempt_count bigint not null default 0 check (attempt_count >= 0),
    error_count bigint not null default 0 check (error_count >= 0),
    consecutive_failures integer not null default 0 check (consecutive_failures >= 0),
    latency_counts bigint[] not null,
    updated_at timestamptz not null default now(),
    primary key (flag, side, window_start)
);
comment on column public.parity_windows.sent_count is
    'Log events whose fate on this side was decided in this slot: seen_count + lost_count.';
comment on column public.parity_windows.attempt_count is 'Events that were tried to be delivered; error_count of them failed.';
comment on column public.parity_windows.consecutive_failures is 'Longest run of failures that reached into this slot.';
comment on column public.parity_windows.latency_counts is
    'Histogram of commit to client, over the bounds of realtime_bridge/rollout/latency.py, the last one open.';
create index parity_windows_age on public.parity_windows (window_start);
alter table public.parity_windows enable row level security;
revoke all on public.parity_windows from anon, authenticated;
"""

DOWN = """
drop table public.parity_windows;
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run(DOWN)
