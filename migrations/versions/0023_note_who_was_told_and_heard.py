"""Note what each socket was told, and up to where listeners have heard: from there on they are told again."""

from migrations import sql

revision = "0023"
down_revision = "0022"

UP = """
-- A bridge of the version before says nothing of these: until it is restarted its sockets count as left.
alter table public.legacy_listeners
    add column moved integer not null default 0 check (moved >= 0),
    add column unasked integer not null default 0 check (unasked >= 0);
comment on column public.legacy_listeners.moved is 'Sockets of clients whose realtime session says Supabase.';
comment on column public.legacy_listeners.unasked is 'Sockets of old clients: their token is of no realtime session.';
comment on column public.legacy_listeners.heard_at is 'When the last socket of an old client went; -infinity: none did.';

alter table public.bridge_reports add column is_gateway boolean not null default false;
comment on table public.bridge_reports is 'What each process that follows the dial, or is pinned, does at this moment.';
comment on column public.rollout_sessions.source is 'Not written any more: a gateway that is pinned says so itself.';

alter table public.relay_cursors add column if not exists heard jsonb;
alter table public.bridge_reports add column heard bigint;
comment on column public.bridge_reports.heard is
    'Up to this id of the log its legacy sockets were told everything; null when it has none, or does not say.';
"""
DOWN = """
alter table public.bridge_reports drop column heard;
alter table public.relay_cursors drop column if exists heard;
alter table public.bridge_reports drop column is_gateway;
comment on table public.bridge_reports is null;
alter table public.legacy_listeners drop column moved, drop column unasked;
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run(DOWN)
