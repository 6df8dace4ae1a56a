"""Values as the real server prints them, in Elixir's way."""

from typing import Any


def inspect(value: Any) -> str:
    """Print a decoded JSON value."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dict):
        return "%{" + ", ".join(f"{inspect(key)} => {inspect(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(inspect(item) for item in value) + "]"
    return str(value)
