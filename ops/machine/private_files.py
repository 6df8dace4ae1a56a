"""Files that hold secrets, written whole and readable by their owner."""

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Replace `path` atomically, mode 0600 from its first byte on."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    partial.replace(path)
