"""Named SQL beside the module that runs it. Called at import of such modules; never touches a database."""

import re
from pathlib import Path

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load(module_file: str) -> dict[str, str]:
    """Read `x.sql` beside `x.py`: query name to text, for sections that start with `-- name: query`."""
    text = Path(module_file).with_suffix(".sql").read_text(encoding="utf-8")
    parts = _NAME.split(text)
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))
