"""${message}."""

from migrations import sql

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}

UP = """
"""

DOWN = """
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run(DOWN)
