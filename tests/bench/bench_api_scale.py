"""How lists, filters and search of a large account compare with the same on a small one: the ratio of their p95.

Run by hand: `.venv/bin/python -m tests.bench.bench_api_scale [--conversations 200000] [--messages 2000000] [--keep DIR]
[--rounds 200] [--json]`. Both databases are on one server, each with a gateway of its own; every round asks each of
them every question once, so what the machine does meanwhile falls on both. Pages show equally many items on both sides,
or the run ends. Compare ratios, not milliseconds. The plans go to tests/bench/api_scale_plans.
"""

import argparse
import contextlib
import json
import re
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg
from rich.progress import Progress

from migrations.upgrade import upgrade
from ops.local_supabase.database import apply_shape
from ops.machine.postgres import EmbeddedPostgres
from tests.bench.scale import PROBES, Account, Size, ensure_seeded, in_process, over_http, p95, plans
from tests.servers.redis_server import RedisServer

PLANS = Path(__file__).parent / "api_scale_plans"
WARM_UP = 15  # rounds not counted: caches fill, and psycopg prepares what it has seen five times
SMALL = Size("small", 2_000, 20_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A database with a seeded account."""

    size: Size
    url: str
    account_id: UUID

    def __call__(self, redis_url: str) -> tuple[str, str, Size, UUID]:
        """Return what a gateway for it needs."""
        return self.url, redis_url, self.size, self.account_id


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=200_000)
    parser.add_argument("--messages", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--keep", type=Path, help="Keep the databases there and use them again.")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    large = Size("large", options.conversations, options.messages)
    with contextlib.ExitStack() as stack:
        directory = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        directory.mkdir(parents=True, exist_ok=True)
        server = EmbeddedPostgres(directory / "data", durable=False)
        server.start()
        stack.callback(server.stop)
        redis = stack.enter_context(RedisServer(directory))
        targets = [_seeded(server, size) for size in (SMALL, large)]
        _save_plans(targets, redis.url)
        with contextlib.ExitStack() as gateways:
            accounts = [
                gateways.enter_context(over_http(*target(redis.url), directory / f"gateway-{target.size.name}"))
                for target in targets
            ]
            result = measure(accounts, options.rounds)
        (PLANS / "figures.txt").write_text(f"{large} against {SMALL}, {options.rounds} rounds\n\n{table(result)}\n")
    print(json.dumps(result) if options.json else table(result))  # noqa: T201


def _database(server: EmbeddedPostgres, name: str) -> str:
    with psycopg.connect(server.admin_url(), autocommit=True) as admin:
        if admin.execute("select from pg_database where datname = %s", (name,)).fetchone() is None:
            admin.execute(f"create database {name}")
    apply_shape(server.admin_url(name))
    upgrade(server.url(name))
    return server.url(name)


def _seeded(server: EmbeddedPostgres, size: Size) -> "Target":
    url = _database(server, size.name)
    with Progress() as bar:
        task = bar.add_task(f"seeding {size.name}", total=size.messages)
        account_id = ensure_seeded(url, size, lambda count: bar.advance(task, count))
        bar.update(task, completed=size.messages)
    return Target(size=size, url=url, account_id=account_id)


def measure(accounts: list[Account], rounds: int) -> dict[str, dict[str, float]]:
    took: dict[tuple[str, str], list[float]] = {}
    for round_number, account, probe in _turns(accounts, rounds + WARM_UP):
        milliseconds = account.ask(probe)
        if round_number >= WARM_UP:
            took.setdefault((probe, account.size.name), []).append(milliseconds)
    return {
        probe.name: {
            f"{account.size.name}_{name}": figure(took[probe.name, account.size.name])
            for account in accounts
            for name, figure in (("p50_ms", statistics.median), ("p95_ms", p95))
        }
        for probe in PROBES
    }


def _turns(accounts: list[Account], rounds: int) -> Iterator[tuple[int, Account, str]]:
    for round_number in range(rounds):
        for probe in PROBES:
            turn = accounts if round_number % 2 else accounts[::-1]
            yield from ((round_number, account, probe.name) for account in turn)


def _save_plans(targets: list[Target], redis_url: str) -> None:
    PLANS.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        accounts = [stack.enter_context(in_process(*target(redis_url))) for target in targets]
        for probe in PROBES:
            shown = {account.items(probe.name) for account in accounts}
            assert len(shown) == 1, f"{probe.name}: pages of {shown} items do not compare"
            texts = [plans(target.url, account, probe.name) for target, account in zip(targets, accounts, strict=True)]
            name = re.sub(r"\W+", "_", probe.name)
            (PLANS / f"{name}.txt").write_text("\n".join(texts))


def table(result: dict[str, dict[str, float]]) -> str:
    lines = [f"{'milliseconds':<38}{'small p50':>10}{'p95':>8}{'large p50':>11}{'p95':>8}{'ratio p95':>11}"]
    for name, row in result.items():
        ratio = row["large_p95_ms"] / row["small_p95_ms"]
        figures = f"{row['small_p50_ms']:>10.2f}{row['small_p95_ms']:>8.2f}{row['large_p50_ms']:>11.2f}"
        lines.append(f"{name:<38}{figures}{row['large_p95_ms']:>8.2f}{ratio:>11.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
