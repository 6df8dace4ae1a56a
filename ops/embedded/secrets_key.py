"""The embedded stack's CROSSFADE_SECRETS_KEY: made once for a data directory, kept beside the database it seals for."""

from pathlib import Path

from ops.machine.private_files import write_private
from realtime_bridge.shared.secrets import new_key


def ensure(file: Path) -> str:
    """Return the key in `file`; without one, make it."""
    if not file.exists():
        write_private(file, new_key() + "\n")
    return file.read_text().strip()
