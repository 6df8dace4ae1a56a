"""Upgrade of a database to the newest schema. Called by `crossfade migrate`, `ops/up` and the tests."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config

from migrations import lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Which version was there, None for no schema at all, and which is there now."""

    before: str | None
    after: str


def configuration(database_url: str) -> Config:
    config = Config(str(Path(__file__).parent / "alembic.ini"))
    config.set_main_option("sqlalchemy.url", database_url.replace("%", "%%"))
    return config


def upgrade(
    database_url: str,
    revision: str = "head",
    *,
    wait_s: float = lock.WAIT_S,
    say: Callable[[str], None] = lambda _: None,
) -> Step:
    """Run every outstanding version as the role in `database_url`, which need not be superuser; return what changed.

    Waits up to `wait_s` for another migration of the same database, then raises MigrationBusyError; `say` gets a
    sentence for what an operator should know meanwhile.
    """
    config = configuration(database_url)
    config.attributes.update(wait_s=wait_s, say=say)
    command.upgrade(config, revision)
    before, after = config.attributes["step"]
    return Step(before=before, after=after)


def downgrade(database_url: str, revision: str) -> None:
    """Undo versions down to `revision` ("base" for all)."""
    command.downgrade(configuration(database_url), revision)
