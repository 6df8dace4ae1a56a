"""Bring a database to the newest schema. Called by `crossfade migrate`, `ops/up` and the tests."""

from pathlib import Path

from alembic import command
from alembic.config import Config


def configuration(database_url: str) -> Config:
    config = Config(str(Path(__file__).parent / "alembic.ini"))
    config.set_main_option("sqlalchemy.url", database_url.replace("%", "%%"))
    return config


def upgrade(database_url: str, revision: str = "head") -> None:
    """Run every outstanding version as the role in `database_url`, which need not be superuser."""
    command.upgrade(configuration(database_url), revision)


def downgrade(database_url: str, revision: str) -> None:
    """Undo versions down to `revision` ("base" for all)."""
    command.downgrade(configuration(database_url), revision)
