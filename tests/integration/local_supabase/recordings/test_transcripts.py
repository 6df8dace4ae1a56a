"""Every recorded conversation with the real server, replayed against ours."""

import asyncio
import itertools
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from ops.local_supabase.database import apply_shape
from ops.machine.postgres import EmbeddedPostgres
from tests.conftest import drop_database
from tests.integration.local_supabase.recordings.checks import Outcome
from tests.integration.local_supabase.recordings.differences import DIFFERENCES
from tests.integration.local_supabase.recordings.replay import Replay
from tests.integration.local_supabase.recordings.scenarios import Scenario, load_all
from tests.integration.local_supabase.recordings.stage import hook_for
from tests.integration.local_supabase.serving import PROJECT_FIXTURE, execute

SCENARIOS = load_all()
AT_ONCE = 4  # each holds up to two of the server's ten replication slots
MOST_DIFFERENCES = 10
FRAMES_RECORDED = 2900  # frames, handshakes, closes and HTTP answers that are compared; the recordings hold 2,983
SCENARIO_TIMEOUT_S = 180  # the longest takes ten seconds on an idle machine
TEMPLATE = "recorded_project"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def outcomes(postgres_server: EmbeddedPostgres, request: pytest.FixtureRequest) -> Iterator[dict[str, Outcome]]:
    """All replays of this run, several at a time, each with its own endpoint and database."""
    wanted = {name for item in request.session.items if (name := _replayed_by(item)) is not None}
    _make_template(postgres_server)
    results = asyncio.run(_replay_all(postgres_server, [one for one in SCENARIOS if one.name in wanted]))
    yield {outcome.name: outcome for outcome in results}
    drop_database(postgres_server, TEMPLATE)


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
        await asyncio.to_thread(drop_database, server, name)


def _make_template(server: EmbeddedPostgres) -> None:
    execute(server, sql.SQL("create database {}").format(sql.Identifier(TEMPLATE)))
    apply_shape(server.admin_url(TEMPLATE))
    with psycopg.connect(server.admin_url(TEMPLATE), autocommit=True) as connection:
        connection.execute(PROJECT_FIXTURE)


def _clone(server: EmbeddedPostgres, name: str) -> None:
    statement = sql.SQL("create database {} template {} strategy file_copy")
    execute(server, statement.format(sql.Identifier(name), sql.Identifier(TEMPLATE)))
