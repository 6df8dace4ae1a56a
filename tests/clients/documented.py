"""The client programs of the README, as they are printed there: what is documented is what the tests run."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.clients.packages import HERE, NODE, install

README = (HERE.parents[1] / "README.md").read_text()
PYTHON = "client.py"
END_S = 5.0


def programs() -> dict[str, str]:
    """Return the README's programs by the names of files: each module's first line is its name."""
    modules = re.findall(r"```js\n(// (\S+\.mjs)\n.*?)```", README, re.DOTALL)
    found = {name: program for program, name in modules}
    (found[PYTHON],) = re.findall(r"```python\n((?:(?!```).)*?AsyncRealtimeClient.*?)```", README, re.DOTALL)
    return found


def command_of(name: str, directory: Path) -> list[str]:
    """Write the programs side by side, the packages that they import beside them; return what runs one."""
    packages = directory / "node_modules"
    if not packages.exists():
        install()
        packages.symlink_to(HERE / "node_modules")
        for file, program in programs().items():
            (directory / file).write_text(program)
    return [sys.executable if name == PYTHON else str(NODE), str(directory / name)]


class Program:
    """A running program: `lines` are what it has printed, `errors` what it has complained of."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._name = Path(command[1]).name
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        self._process = subprocess.Popen(
            command, env=environment | dict(variables), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        assert self._process.stderr
        self._pipes = {self._process.stdout: self.lines, self._process.stderr: self.errors}
        self._readers = [threading.Thread(target=_read, args=pipe, daemon=True) for pipe in self._pipes.items()]
        for reader in self._readers:
            reader.start()

    @property
    def state(self) -> str:
        """What it said last, for a person to read."""
        return f"{self._name} said {self.lines[-8:]} {self.errors[-20:]}"

    def is_running(self) -> bool:
        return self._process.poll() is None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait(END_S)
        for reader in self._readers:
            reader.join(END_S)
        for pipe in self._pipes:
            pipe.close()


def _read(pipe: IO[str], lines: list[str]) -> None:
    lines.extend(line.rstrip("\n") for line in pipe)
