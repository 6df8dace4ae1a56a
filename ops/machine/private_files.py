"""Files of secrets, or of what people wrote. Readable by their owner only, whatever the umask."""

import os
from io import FileIO
from pathlib import Path

UMASK = 0o077  # of processes whose files are nobody else's business


def write_private(path: Path, text: str) -> None:
    """Replace `path` atomically, whole or not at all, mode 0600 from its first byte on."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    partial.replace(path)


def append_private(path: Path) -> FileIO:
    """Open a log to append to, without a buffer; one that was open to others is so no longer."""
    return FileIO(path, "ab", opener=_open)


def make_private(directory: Path) -> None:
    """Make a directory, if it is not there, and close it to others."""
    directory.mkdir(exist_ok=True)
    directory.chmod(0o700)


def _open(path: str, flags: int) -> int:
    descriptor = os.open(path, flags, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor
