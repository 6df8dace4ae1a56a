"""Note how far in the log each bridge's legacy sockets have heard, for those who come back when it has died."""

from migrations import sql

revision = "0029"
down_revision = "0028"

UP = """
alter table public.bridge_reports add column heard bigint;
comment on column public.bridge_reports.heard is
    'Up to this id of the log its legacy sockets were told everything; null when it has none, or does not say.';
"""
DOWN = """
alter table public.bridge_reports drop column heard;
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run(DOWN)
