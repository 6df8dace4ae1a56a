"""Progress of `up`: a line for each step, with its seconds. On stderr; stdout is for results."""

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape


class Progress:
    def __init__(self, console: Console) -> None:
        self._console = console

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show `title` while the block runs, and a tick with its time when it went well."""
        started = time.monotonic()
        with self._console.status(f"{escape(title)} …"):
            yield
        self._console.print(f"[green]✓[/] {escape(title)} [dim]{time.monotonic() - started:.1f} s[/]", highlight=False)

    def say(self, sentence: str) -> None:
        self._console.print(f"[yellow]![/] {escape(sentence)}", highlight=False, soft_wrap=True)
