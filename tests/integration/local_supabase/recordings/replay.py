"""Plays the sent steps of a recording against the endpoint; `checks.py` compares what comes back."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import psycopg

from ops.local_supabase.endpoint import Endpoint
from ops.local_supabase.project import Project
from ops.local_supabase.settings import Limits, Settings, Timings
from tests.integration.local_supabase.recordings import bodies
from tests.integration.local_supabase.recordings.checks import FRAME_TIMEOUT_S, Checks, Outcome
from tests.integration.local_supabase.recordings.peers import Peer, encode_frame, open_peer, request
from tests.integration.local_supabase.recordings.placeholders import Values
from tests.integration.local_supabase.recordings.scenarios import Scenario, Step
from tests.integration.local_supabase.serving import SECRET, disconnect_all
from tests.waiting import eventually

FAST = Timings(
    connect_error_backoff_s=0.05,
    channel_error_backoff_s=0.6,  # long enough for what has to happen meanwhile on other connections
    idle_timeout_s=1.2,
    idle_sweep_s=0.12,
    no_channel_check_s=0.5,
)
UNHURRIED = replace(FAST, idle_timeout_s=60.0, idle_sweep_s=6.0, no_channel_check_s=600.0)
PACE = {"01e": 50.0}  # scenarios whose pauses matter, and how much faster they are played
TICKED = ("11",)  # scenarios of rates: their notes tick, and no tick of a slow machine comes between
FOR_EVER_S = 3_600.0
WARM = ("02j",)  # recorded while the real server was already reading changes
_SENT = """
select coalesce(bool_and(r.sent_lsn >= %s::pg_lsn), true) from pg_stat_replication r
join pg_replication_slots s on s.active_pid = r.pid where s.database = current_database()
"""
_LIMITS = set(Limits.__dataclass_fields__)


Hook = Callable[["Replay"], Awaitable[None]]


class Replay:
    """One scenario on its own endpoint and database; `find_hook` finds what a note of it stands for."""

    def __init__(self, scenario: Scenario, database_url: str, find_hook: Callable[[str, str], Hook | None]) -> None:
        self.scenario = scenario
        self.values = Values()
        self.peers: dict[str, Peer] = {}
        self.outcome = Outcome(scenario.name)
        self._database_url = database_url
        self._find_hook = find_hook
        self._settings = _settings(scenario, database_url)
        self._endpoint = Endpoint(self._settings)
        self._versions: dict[str, str] = {}
        self._answers: dict[str, list[Any]] = defaultdict(list)
        self._checks = Checks(
            scenario.name, peers=self.peers, answers=self._answers, values=self.values, outcome=self.outcome
        )
        self._ended: list[Peer] = []
        self._session: aiohttp.ClientSession | None = None

    @property
    def project(self) -> Project:
        return self._endpoint.project

    @property
    def url(self) -> str:
        return self._endpoint.url

    async def run(self) -> Outcome:
        """Play all steps; problems are noted, the first one ends the replay."""
        if self.scenario.name.startswith(TICKED):
            rates = self.project.context.rates
            for counter in (rates.events, rates.requests, rates.joins, rates.presence):
                counter._tick_s = Timings().rate_tick_s
        await self._endpoint.start()
        self._session = aiohttp.ClientSession()
        if self.scenario.name.startswith(WARM):
            self.project.changes.start()
            await asyncio.wait_for(self.project.changes.stream.connected.wait(), FRAME_TIMEOUT_S)
        try:
            await self._play()
        except AssertionError as error:
            self.outcome.problems.append(str(error))
        finally:
            for peer in [*self.peers.values(), *self._ended]:
                await peer.end()
            await self._session.close()
            await self._endpoint.stop()
        return self.outcome

    async def _play(self) -> None:
        steps = self.scenario.steps
        pace = next((speed for number, speed in PACE.items() if self.scenario.name.startswith(number)), None)
        position, clock_ms = 0, 0
        while position < len(steps):
            step = steps[position]
            if pace is not None and step.at_ms > clock_ms:
                await asyncio.sleep((step.at_ms - clock_ms) / 1000 / pace)
                clock_ms = step.at_ms
            if step.sent:
                await self._send(step)
                position += 1
                continue
            block = []
            while position < len(steps) and not steps[position].sent:
                if pace is not None and steps[position].at_ms > clock_ms + 1000:
                    break
                block.append(steps[position])
                position += 1
            if pace is not None and not block:
                continue
            await self._checks.check(block)
        await self._checks.check_silence(steps[-1])

    async def _send(self, step: Step) -> None:
        handler = getattr(self, f"_send_{step.kind}")
        await handler(step)

    async def _send_note(self, step: Step) -> None:
        hook = self._find_hook(self.scenario.name, step.text)
        if hook is not None:
            await hook(self)

    async def _send_settings(self, _step: Step) -> None:
        """Settings are known from the start: see `_settings`."""

    async def _send_control(self, step: Step) -> None:
        action = step.data["action"]
        if action.startswith("stop"):
            await self._endpoint.stop()
        elif action == "start":
            self._endpoint = Endpoint(replace(self._settings, port=self._endpoint.port))
            await self._endpoint.start()
        else:
            await disconnect_all(self.project)

    async def _send_open(self, step: Step) -> None:
        data = self.values.fill(step.data)
        old = self.peers.pop(step.connection, None)
        if old is not None:
            self._ended.append(old)
        outcome = await open_peer(self.url, data)
        if isinstance(outcome, Peer):
            self.add_peer(step.connection, outcome, data["query"].get("vsn", "1.0.0"))
            self._answers[step.connection].append({"status": 101, "headers": {}})
        else:
            self._answers[step.connection].append(outcome)

    async def _send_text(self, step: Step) -> None:
        text = step.raw if step.raw is not None else json.dumps(self.values.fill(step.data))
        await self.peers[step.connection].send(text)

    async def _send_binary(self, step: Step) -> None:
        await self.peers[step.connection].send(bodies.binary(step.data, self.values))

    async def _send_ping(self, step: Step) -> None:
        self._answers[step.connection].append({"data": await self.peers[step.connection].ping(step.data["data"])})

    async def _send_close(self, step: Step) -> None:
        await self.peers[step.connection].close(abrupt=bool(step.data.get("abrupt")))
        await asyncio.sleep(0.02)  # the server has read the end of the connection

    async def _send_http_request(self, step: Step) -> None:
        data = {**step.data, "path": self.values.fill_text(step.data["path"])}
        data["headers"] = self.values.fill(step.data.get("headers", {}))
        data["query"] = self.values.fill_text(step.data.get("query", ""))
        self._answers["http"].append(await self.request(data, bodies.http_body(step.data, self.values)))

    async def request(self, data: dict[str, Any], body: bytes) -> dict[str, Any]:
        assert self._session is not None
        try:
            return await request(self._session, self.url, data, body)
        except aiohttp.ClientConnectorError:
            return {"status": None, "error": "ConnectionRefusedError"}

    async def _send_sql(self, step: Step) -> None:
        statements = step.data["sql"] if isinstance(step.data["sql"], list) else [step.data["sql"]]
        await asyncio.sleep(0.005)  # moments named by placeholders lie between statements
        self.values.mark_sql(transaction=len(statements) > 1)
        await asyncio.sleep(0.005)
        result: dict[str, Any] = {}
        async with await psycopg.AsyncConnection.connect(self._database_url, autocommit=True) as connection:
            notices: list[str] = []
            connection.add_notice_handler(lambda notice: notices.append(f"{notice.severity}: {notice.message_primary}"))
            if "role" in step.data:
                claims = json.dumps(self.values.fill(step.data["claims"]))
                await connection.execute("select set_config('request.jwt.claims', %s, false)", (claims,))
                await connection.execute(f"set role {step.data['role']}".encode())
            for statement in statements:
                try:
                    await connection.execute(self.values.fill_text(statement).encode())
                except psycopg.Error as error:
                    result["error"] = error.diag.message_primary
            if notices:
                result["notices"] = notices
        if result:
            self._answers["db"].append(result)

    async def execute(self, script: str) -> None:
        """Run SQL as the superuser."""
        async with await psycopg.AsyncConnection.connect(self._database_url, autocommit=True) as connection:
            await connection.execute(self.values.fill_text(script).encode())

    async def read_up(self) -> None:
        """Wait until the endpoint has been sent all that was written, also what it drops without a word."""
        async with await psycopg.AsyncConnection.connect(self._database_url, autocommit=True) as connection:
            cursor = await connection.execute("select pg_current_wal_lsn()")
            (written,) = await cursor.fetchone() or ("",)

            async def is_sent() -> bool:
                answer = await (await connection.execute(_SENT, (written,))).fetchone()
                return bool(answer and answer[0])

            condition: Callable[[], bool | Awaitable[bool]] = is_sent
            await eventually(condition, "the log to be sent")
        await asyncio.sleep(0)  # what was sent lies in this process's sockets; its reader's turn comes before ours

    def add_peer(self, label: str, peer: Peer, version: str) -> None:
        self.peers[label] = peer
        self._versions[label] = version

    def alias(self, label: str, other: str) -> None:
        self.peers[label] = self.peers[other]
        self._versions[label] = self._versions[other]

    def version(self, label: str) -> str:
        return self._versions[label]

    def frame(self, label: str, topic: str, event: str, payload: object, join_ref: str, ref: str) -> str:
        return encode_frame(self._versions[label], topic, event, payload, join_ref, ref)

    def forget_received(self, label: str) -> None:
        received = self.peers[label].received
        while not received.empty():
            received.get_nowait()


def _settings(scenario: Scenario, database_url: str) -> Settings:
    recorded = scenario.settings
    timings = FAST if scenario.name.startswith(("01e", "12d")) else UNHURRIED
    if scenario.name.startswith(TICKED):
        timings = replace(timings, rate_tick_s=FOR_EVER_S)
    return Settings(
        database_url=database_url,
        port=0,
        jwt_secret=SECRET,
        limits=Limits(**{name: value for name, value in recorded.items() if name in _LIMITS}),
        timings=timings,
        private_only=recorded.get("private_only", False),
        presence_enabled=recorded.get("presence_enabled", False),
        suspended=recorded.get("suspend", False),
    )
