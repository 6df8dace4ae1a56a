"""Named SQL beside the module that runs it: `messages.sql` for `messages.py`. Never touches a database."""

import re
from pathlib import Path
from typing import LiteralString, cast

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load(module_file: str) -> dict[str, LiteralString]:
    """Read the `.sql` file beside `module_file`: query name to text, for sections that start with `-- name: query`."""
    text = Path(module_file).with_suffix(".sql").read_text(encoding="utf-8")
    parts = _NAME.split(text)[1:]
    # A file of the package is as much a literal as a string in it: psycopg's guard against built-up SQL stays on.
    return {name: cast(LiteralString, body.strip()) for name, body in zip(parts[::2], parts[1::2], strict=True)}
