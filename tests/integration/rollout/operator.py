"""Somebody at a terminal who turns the dial."""

import json
import shlex
from typing import Any

from click.testing import CliRunner

from ops.cli.main import main

KEEPER = (
    "insert into rollout_keepers (flag, lease_owner, lease_until) values (%s, 'a bridge', 'infinity')"
    " on conflict (flag) do update set lease_until = 'infinity'"
)


class Operator:
    """Somebody at a terminal."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url

    def type(self, line: str, *, by: str | None = None, key: str = "", columns: int = 250) -> tuple[int, str]:
        """Run a command line; return its exit code and everything it said."""
        words = shlex.split(line.removeprefix("crossfade "))
        words += ["--by", by] if by else []
        environment = {"DATABASE_URL": self._url, "COLUMNS": str(columns), "CROSSFADE_OPERATOR_KEY": key}
        result = CliRunner().invoke(main, words, env=environment)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result.exit_code, result.output

    def ok(self, line: str, **options: Any) -> str:
        code, output = self.type(line, **options)
        assert code == 0, output
        return output

    def refused(self, line: str, **options: Any) -> str:
        code, output = self.type(line, **options)
        assert code == 1, output
        assert output.startswith("Error: ")
        assert len(output.splitlines()) == 1
        return output

    def read(self, line: str, **options: Any) -> Any:
        return json.loads(self.ok(f"{line} --json", **options))

    def next_command(self) -> str:
        """Return the command that `status` tells to type."""
        return str(self.read("rollout status")["next"]).replace("…", "because")
