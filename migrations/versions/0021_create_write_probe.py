"""Create the table in which the gateway's `/readyz` tries what a write needs."""

from migrations import sql

revision = "0021"
down_revision = "0020"

UP = """
-- Rows are written and taken back within one transaction, so it looks empty. Each is most of a page that no compression
-- makes smaller, so that writing it asks the disk for a new one, as messages do.
create table crossfade.write_probe (filler bytea not null);
alter table crossfade.write_probe alter column filler set storage plain;
alter table crossfade.write_probe enable row level security;
revoke all on crossfade.write_probe from public;
"""

DOWN = """
drop table crossfade.write_probe;
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run(DOWN)
