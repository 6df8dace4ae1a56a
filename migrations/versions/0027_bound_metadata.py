"""How large the metadata of a message may be, measured as it is stored: numbers take what they take written out.

`crossfade.metadata` is what the statements of everybody who writes metadata cast to. It is no check of the table: what a
messenger says of a failure comes on top, and an old row of any size may still be marked as read.
"""

from migrations import sql

revision = "0027"
down_revision = "0026"

UP = """
create function crossfade.is_bounded(metadata jsonb) returns boolean language sql immutable parallel safe as $$
    select octet_length(metadata::text) <= 4096
$$;
revoke execute on function crossfade.is_bounded(jsonb) from public, anon, authenticated, service_role;
create domain crossfade.metadata as jsonb check (crossfade.is_bounded(value));
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run("drop domain crossfade.metadata; drop function crossfade.is_bounded(jsonb);")
