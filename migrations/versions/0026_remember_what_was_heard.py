"""Remember up to where listeners have heard, beside the cursor: from there on it is sent again when they were away."""

from migrations import sql

revision = "0026"
down_revision = "0025"

UP = """
alter table public.relay_cursors add column if not exists heard jsonb;
"""
DOWN = """
alter table public.relay_cursors drop column if exists heard;
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run(DOWN)
