"""Plays the sent steps of a recording against the endpoint and compares what comes back."""

import asyncio
import json
import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import psycopg

from ops.local_supabase.endpoint import Endpoint
from ops.local_supabase.project import Project
from ops.local_supabase.settings import Limits, Settings, Timings
from tests.integration.local_supabase import differences, stage
from tests.integration.local_supabase.expectations import compare, shortest
from tests.integration.local_supabase.peers import Peer, Received, open_peer, request
from tests.integration.local_supabase.placeholders import SECRET, Values, matches
from tests.integration.local_supabase.scenarios import Scenario, Step

FRAME_TIMEOUT_S = 8.0  # a frame that is not there by then does not come; the machine may be busy
SETTLE_S = 0.15  # how long "nothing arrives" is watched
FAST = Timings(
    connect_error_backoff_s=0.05,
    channel_error_backoff_s=0.6,  # long enough for what has to happen meanwhile on other connections
    idle_timeout_s=1.2,
    idle_sweep_s=0.12,
    no_channel_check_s=0.5,
)
UNHURRIED = replace(FAST, idle_timeout_s=60.0, idle_sweep_s=6.0, no_channel_check_s=600.0)
PACE = {"01e": 50.0}  # scenarios whose pauses matter, and how much faster they are played
WARM = ("02j",)  # recorded while the real server was already reading changes
_LIMITS = set(Limits.__dataclass_fields__)
_REPEATED_LIST = re.compile(r"<repeat (\d+) times: (.*)>", re.DOTALL)
_CANONICAL_UUID = b"00000000-0000-4000-8000-%012d"


@dataclass(slots=True)
class Outcome:
    """What a replay came to."""

    name: str
    compared: int = 0
    different: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


class Replay:
    """One scenario on its own endpoint and database."""

    def __init__(self, scenario: Scenario, database_url: str) -> None:
        self.scenario = scenario
        self.values = Values()
        self.peers: dict[str, Peer] = {}
        self.outcome = Outcome(scenario.name)
        self._database_url = database_url
        self._settings = _settings(scenario, database_url)
        self._endpoint = Endpoint(self._settings)
        self._versions: dict[str, str] = {}
        self._answers: dict[str, list[Any]] = defaultdict(list)
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
        await self._endpoint.start()
        self._session = aiohttp.ClientSession()
        if self.scenario.name.startswith(WARM):
            self.project.changes.start()
            await asyncio.wait_for(self.project.changes.connected.wait(), FRAME_TIMEOUT_S)
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
            await self._check(block)
        await self._check_silence(steps[-1])

    # Sending

    async def _send(self, step: Step) -> None:
        handler = getattr(self, f"_send_{step.kind}")
        await handler(step)

    async def _send_note(self, step: Step) -> None:
        hook = stage.hook_for(self.scenario.name, step.text)
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
            await self.project.disconnect_all()

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
        await self.peers[step.connection].send(self._binary(step.data))

    async def _send_ping(self, step: Step) -> None:
        self._answers[step.connection].append({"data": await self.peers[step.connection].ping(step.data["data"])})

    async def _send_close(self, step: Step) -> None:
        await self.peers[step.connection].close(abrupt=bool(step.data.get("abrupt")))
        await asyncio.sleep(0.02)  # the server has read the end of the connection

    async def _send_http_request(self, step: Step) -> None:
        data = {**step.data, "path": self.values.fill_text(step.data["path"])}
        data["headers"] = self.values.fill(step.data.get("headers", {}))
        data["query"] = self.values.fill_text(step.data.get("query", ""))
        self._answers["http"].append(await self.request(data, self._body(step.data)))

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

    # What hooks need

    def add_peer(self, label: str, peer: Peer, version: str) -> None:
        self.peers[label] = peer
        self._versions[label] = version

    def alias(self, label: str, other: str) -> None:
        self.peers[label] = self.peers[other]
        self._versions[label] = self._versions[other]

    def version(self, label: str) -> str:
        return self._versions[label]

    def frame(self, label: str, topic: str, event: str, payload: object, join_ref: str, ref: str) -> str:
        return stage.encode_frame(self._versions[label], topic, event, payload, join_ref, ref)

    def forget_received(self, label: str) -> None:
        received = self.peers[label].received
        while not received.empty():
            received.get_nowait()

    # Bodies

    def _binary(self, data: dict[str, Any]) -> bytes:
        if "hex" in data:
            raw = bytes.fromhex(data["hex"])
            for placeholder, value in self.values.bindings.items():
                if placeholder.startswith("<uuid:"):
                    raw = raw.replace(_CANONICAL_UUID % int(placeholder[6:-1]), value.encode())
            return raw
        decoded = data["decoded"]
        content = (
            bytes(decoded["payload_hex"]["size"])
            if "payload_hex" in decoded
            else json.dumps(self.values.fill(decoded["payload"]), separators=(",", ":")).encode()
        )
        return bytes.fromhex(data["hex_prefix"])[: data["size"] - len(content)] + content

    def _body(self, data: dict[str, Any]) -> bytes:
        if "body_hex" in data:
            return bytes.fromhex(data["body_hex"])
        if "body_raw" in data:
            return self.values.fill_text(data["body_raw"]).encode()
        if "body" not in data:
            return b""
        body = data["body"]
        if isinstance(body, str) and body.endswith("zero bytes>"):
            return bytes(int(body[1:].split()[0]))
        if isinstance(body, dict) and isinstance(body.get("messages"), str):
            repeated = _REPEATED_LIST.fullmatch(body["messages"])
            if repeated is not None:
                body = {"messages": [json.loads(repeated[2])] * int(repeated[1])}
        return json.dumps(self.values.fill(body)).encode()

    # Comparing

    async def _check(self, block: list[Step]) -> None:
        by_connection: dict[str, list[Step]] = defaultdict(list)
        for step in block:
            if step.kind in ("text", "binary", "close"):
                by_connection[step.connection].append(step)
        for label, expected in by_connection.items():
            await self._check_frames(label, expected)
        for step in block:
            if step.kind == "silence":
                await self._check_silence(step)
            elif step.kind not in ("text", "binary", "close", "control"):
                self._check_answer(step)

    async def _check_frames(self, label: str, expected: list[Step]) -> None:
        peer = self.peers[label]
        received: list[Received] = []
        for number in range(len(expected)):
            patience_s = FRAME_TIMEOUT_S if number < shortest(expected) else SETTLE_S
            try:
                received.append(await asyncio.wait_for(peer.received.get(), patience_s))
            except TimeoutError:
                break
        assert compare(expected, received, self.values.bindings), self._explain(label, expected, received)
        self.outcome.compared += len(expected)

    def _check_answer(self, step: Step) -> None:
        waiting = self._answers[step.connection]
        assert waiting, f"{step.connection} at {step.at_ms}: nothing instead of {step.kind} {step.data}"
        actual = waiting.pop(0)
        expected = step.data
        difference = differences.find(self.scenario.name, step)
        if difference is not None:
            self.outcome.different.add(difference.reason)
            expected = difference.instead
        self.outcome.compared += 1
        right = _answers_match(expected, actual, self.values)
        assert right, f"{step.connection} at {step.at_ms}: expected {_short(expected)}, got {_short(actual)}"

    async def _check_silence(self, step: Step) -> None:
        await asyncio.sleep(SETTLE_S)
        for label, peer in self.peers.items():
            if not peer.received.empty():
                extra = peer.received.get_nowait()
                raise AssertionError(f"{label} at {step.at_ms}: unexpected {_short(extra)}")

    def _explain(self, label: str, expected: list[Step], received: list[Received]) -> str:
        lines = [f"{label} at {expected[0].at_ms}: expected"]
        lines += [f"    {step.kind} {_short(step.data)}" for step in expected]
        lines += ["  received"]
        lines += [f"    {frame.kind} {_short(frame.content)} {frame.raw or ''}" for frame in received]
        return "\n".join(lines)


def _answers_match(expected: dict[str, Any], actual: dict[str, Any], values: Values) -> bool:
    if expected.get("status") is None:
        return matches(expected, actual, values.bindings)
    return (
        expected["status"] == actual["status"]
        and _headers_match(expected.get("headers", {}), actual["headers"], values)
        and _bodies_match(expected, actual, values)
    )


def _headers_match(expected: dict[str, str], actual: dict[str, str], values: Values) -> bool:
    return all(name in actual and matches(value, actual[name], values.bindings) for name, value in expected.items())


def _bodies_match(expected: dict[str, Any], actual: dict[str, Any], values: Values) -> bool:
    if "body_raw" in expected:
        return bool(actual["body"] == expected["body_raw"].encode())
    return "body" not in expected or matches(expected["body"], json.loads(actual["body"]), values.bindings)


def _settings(scenario: Scenario, database_url: str) -> Settings:
    recorded = scenario.settings
    timings = FAST if scenario.name.startswith(("01e", "12d")) else UNHURRIED
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


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) < 600 else text[:600] + "…"
