"""Tell why events of a sink wait though nothing failed, and how many broadcasts were sent again."""

from migrations import sql

revision = "0018"
down_revision = "0017"

UP = """
alter table public.relay_cursors
    add column if not exists waiting_for text,
    add column if not exists sent_again bigint not null default 0,
    add column if not exists sent_again_at timestamptz;
"""
DOWN = """
alter table public.relay_cursors
    drop column if exists waiting_for,
    drop column if exists sent_again,
    drop column if exists sent_again_at;
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run(DOWN)
