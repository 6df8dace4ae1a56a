"""A copy of the tree in which a mutation is tried, so that nobody else ever sees it."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.mutations.mutation import Mutation

ROOT = Path(__file__).parents[2]
INSTALLED = (".venv", "tests/clients/node_modules", "tests/clients/local_supabase/node_modules")
TEST_TIMEOUT_S = 300.0  # of each that is named, with its servers
STOP_TIMEOUT_S = 60.0
SHOWN = 2_000  # characters of a run that came to nothing


class Copy:
    """The files that git knows or would take, and links to what is installed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0"):
            if name and (ROOT / name).is_file():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, root / name)
        for name in INSTALLED:
            if (ROOT / name).exists():
                (root / name).symlink_to(ROOT / name)

    def failures_with(self, mutation: Mutation) -> list[str]:
        """Return which of the mutation's tests fail with it. Raises ValueError where it cannot be made."""
        file = self.root / mutation.file
        before, modified = file.read_text(), file.stat().st_mtime
        if before.count(mutation.old) != 1:
            raise ValueError(f"its text does not stand once in {mutation.file}")
        try:
            _write(file, before.replace(mutation.old, mutation.new), modified + 1)
            return self.failures(mutation.tests)
        finally:
            _write(file, before, modified)

    def failures(self, tests: tuple[str, ...]) -> list[str]:
        """Run tests; return the names of those that fail, or why they do not run: what cannot begin says nothing."""
        command = [sys.executable, "-m", "pytest", "-q", "-rfE", "--no-header", "-p", "no:cacheprovider", *tests]
        environment = os.environ | {"PYTHONPATH": str(self.root)}
        output = self.root / "output.txt"
        with (
            output.open("w") as file,
            subprocess.Popen(
                command, cwd=self.root, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file
            ) as process,
        ):
            try:
                process.wait(TEST_TIMEOUT_S * len(tests))
            except subprocess.TimeoutExpired:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(STOP_TIMEOUT_S)
                process.kill()
        said = output.read_text()
        ends = ("FAILED ", "ERROR ")  # a server that does not start is noticed, too
        failed = [line.partition(" ")[2] for line in said.splitlines() if line.startswith(ends)]
        if process.returncode and not failed:
            return [f"The tests did not run: {said[-SHOWN:]}"]
        return failed


def _write(file: Path, text: str, modified: float) -> None:
    """By the time of its change Python knows whether it has compiled a module already."""
    file.write_text(text)
    os.utime(file, (modified, modified))
