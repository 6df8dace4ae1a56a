"""Every recorded scenario against the real server, played against ours."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import psycopg
import pytest

from tests.integration.local_supabase.recordings import sent_broadcasts, sent_changes
from tests.integration.local_supabase.recordings.differences import SCENARIO_DIFFERENCES
from tests.integration.local_supabase.recordings.recorded_scenarios import DIRECTORY
from tests.integration.local_supabase.recordings.scenario_run import ScenarioRun
from tests.integration.local_supabase.serving import serving

SCENARIO_TIMEOUT_S = 120
SENT: dict[str, Callable[[ScenarioRun], Awaitable[None]]] = {
    name: sender
    for module in (sent_changes, sent_broadcasts)
    for name, sender in vars(module).items()
    if name.startswith("s") and name[1:3].isdigit()
}


@pytest.fixture
def scenario_url(project_url: str) -> str:
    """The project's database with the scenarios' own tables, made anew."""
    with psycopg.connect(project_url, autocommit=True) as connection:
        connection.execute((DIRECTORY / "base.sql").read_bytes())
    return project_url


def test_every_recorded_scenario_is_played() -> None:
    """What lies there is what is sent."""
    assert {path.stem for path in Path(DIRECTORY).glob("*.txt")} == set(SENT)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", SENT)
def test_scenario(name: str, scenario_url: str) -> None:
    """Our endpoint answers as the real server was recorded to answer, or as the list of differences says."""
    run = asyncio.run(asyncio.wait_for(_play(name, scenario_url), SCENARIO_TIMEOUT_S))
    wanted = {(step, label) for scenario, step, label in SCENARIO_DIFFERENCES if scenario == name}
    assert set(run.problems) == wanted, "\n".join(f"{key}: {text}" for key, text in run.problems.items())
    assert run.compared > 0


async def _play(name: str, url: str) -> ScenarioRun:
    async with serving(url) as endpoint, aiohttp.ClientSession() as session:
        run = ScenarioRun(name, endpoint, url, session)
        try:
            await SENT[name](run)
        finally:
            await run.end()
        return run
