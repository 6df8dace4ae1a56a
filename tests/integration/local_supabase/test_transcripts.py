"""Every recorded conversation with the real server, replayed against ours."""

import asyncio
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from ops.local_supabase.database import apply_shape
from ops.machine.postgres import EmbeddedPostgres
from tests.integration.local_supabase.checks import Outcome
from tests.integration.local_supabase.differences import DIFFERENCES
from tests.integration.local_supabase.replay import Replay
from tests.integration.local_supabase.scenarios import Scenario, load_all
from tests.integration.local_supabase.stage import hook_for

SCENARIOS = load_all()
AT_ONCE = 4  # each holds up to two of the server's ten replication slots
MOST_DIFFERENCES = 10
FRAMES_RECORDED = 2900  # frames, handshakes, closes and HTTP answers that are compared; the recordings hold 2,983
DROP_ATTEMPTS = 30
SCENARIO_TIMEOUT_S = 180  # the longest takes ten seconds on an idle machine
TEMPLATE = "recorded_project"
_FIXTURE = (Path(__file__).parent / "project_fixture.sql").read_bytes()
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def outcomes(postgres_server: EmbeddedPostgres, request: pytest.FixtureRequest) -> Iterator[dict[str, Outcome]]:
    """All replays of this run, several at a time, each with its own endpoint and database."""
    wanted = {name for item in request.session.items if (name := _replayed_by(item)) is not None}
    _make_template(postgres_server)
    results = asyncio.run(_replay_all(postgres_server, [one for one in SCENARIOS if one.name in wanted]))
    yield {outcome.name: outcome for outcome in results}
    _drop(postgres_server, TEMPLATE)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", [scenario.name for scenario in SCENARIOS])
def test_the_endpoint_answers_as_recorded(outcomes: dict[str, Outcome], name: str) -> None:
    """Same frames, same order per connection, same fields, same statuses, bodies and close codes."""
    outcome = outcomes[name]
    assert not outcome.problems, "\n".join(outcome.problems)
    assert outcome.compared > 0


def test_the_list_of_deliberate_differences_is_short_and_used(outcomes: dict[str, Outcome]) -> None:
    """Each difference has a reason and is still one; there are at most ten."""
    assert len(DIFFERENCES) <= MOST_DIFFERENCES
    if len(outcomes) == len(SCENARIOS):
        assert sum(outcome.compared for outcome in outcomes.values()) >= FRAMES_RECORDED
        used = {reason for outcome in outcomes.values() for reason in outcome.different}
        assert used == {difference.reason for difference in DIFFERENCES}


def _replayed_by(item: pytest.Item) -> str | None:
    """Name of the scenario a test is about, None for other tests."""
    if isinstance(item, pytest.Function) and item.originalname == "test_the_endpoint_answers_as_recorded":
        return str(item.callspec.params["name"])
    return None


async def _replay_all(server: EmbeddedPostgres, scenarios: list[Scenario]) -> list[Outcome]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def replay(scenario: Scenario) -> Outcome:
        async with gate:
            return await _replay_one(server, scenario)

    return await asyncio.gather(*(replay(scenario) for scenario in scenarios))


async def _replay_one(server: EmbeddedPostgres, scenario: Scenario) -> Outcome:
    name = f"replay_{next(_numbers)}"
    await asyncio.to_thread(_clone, server, name)
    try:
        return await asyncio.wait_for(Replay(scenario, server.admin_url(name), hook_for).run(), SCENARIO_TIMEOUT_S)
    except Exception as error:  # noqa: BLE001 - it belongs to this scenario's test
        return Outcome(scenario.name, problems=[f"{type(error).__name__}: {error}"])
    finally:
        await asyncio.to_thread(_drop, server, name)


def _make_template(server: EmbeddedPostgres) -> None:
    _execute(server, sql.SQL("create database {}").format(sql.Identifier(TEMPLATE)))
    apply_shape(server.admin_url(TEMPLATE))
    with psycopg.connect(server.admin_url(TEMPLATE), autocommit=True) as connection:
        connection.execute(_FIXTURE)


def _clone(server: EmbeddedPostgres, name: str) -> None:
    statement = sql.SQL("create database {} template {} strategy file_copy")
    _execute(server, statement.format(sql.Identifier(name), sql.Identifier(TEMPLATE)))


def _drop(server: EmbeddedPostgres, name: str) -> None:
    """Drop a database; a replication slot of an endpoint that was cut short may need a moment to go."""
    for attempt in range(DROP_ATTEMPTS):
        try:
            _execute(server, sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        except psycopg.errors.ObjectInUse:
            if attempt == DROP_ATTEMPTS - 1:
                raise
            time.sleep(0.1)
        else:
            return


def _execute(server: EmbeddedPostgres, statement: sql.Composed) -> None:
    with psycopg.connect(server.admin_url(), autocommit=True) as connection:
        connection.execute(statement)
