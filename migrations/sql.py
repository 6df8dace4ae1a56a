"""Run plain SQL from a migration as it is written."""

from alembic import op
from sqlalchemy import text


def run(script: str) -> None:
    """Execute `script`; a colon in it is a colon, not SQLAlchemy's mark of a parameter."""
    op.execute(text(script.replace(":", "\\:")))
