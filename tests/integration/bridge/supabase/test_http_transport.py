"""The HTTP transport against a server that answers as Supabase does, and as it does on a bad day."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID, uuid5

import psycopg
import pytest
from aiohttp import web
from psycopg.rows import DictRow

from realtime_bridge.relay.sink import SinkOverRate, SinkUnavailable
from realtime_bridge.supabase.http import TOO_LARGE, HttpTransport
from realtime_bridge.supabase.probe.way import Way
from realtime_bridge.supabase.rate import Rate
from realtime_bridge.supabase.sink import RealtimeService, SupabaseSink
from tests.conftest import one
from tests.factories import append_message
from tests.relays import held_relay, run

Answer = Callable[[list[dict[str, Any]]], web.Response]


class Supabase:
    """Records batches; answers 202 unless told otherwise."""

    def __init__(self) -> None:
        self.url = ""
        self.batches: list[list[dict[str, Any]]] = []
        self.headers: dict[str, str] = {}
        self.answer: Answer = lambda _: web.Response(status=202)
        self.talks = asyncio.Event()
        self.talks.set()

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [message for batch in self.batches for message in batch]

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator["Supabase"]:
        application = web.Application()
        application.router.add_post("/realtime/v1/api/broadcast", self._broadcast)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _broadcast(self, request: web.Request) -> web.Response:
        await self.talks.wait()
        messages = (await request.json())["messages"]
        self.headers = dict(request.headers)
        answer = self.answer(messages)
        if answer.status == 202:
            self.batches.append(messages)
        return answer


@contextlib.asynccontextmanager
async def http_sink(
    supabase: Supabase, timeout_s: float = 5.0, rate: Rate | None = None
) -> AsyncIterator[SupabaseSink]:
    way = Way(over_http=True, rate=rate)
    transport = HttpTransport(
        supabase_url=supabase.url, secret_key="the-secret-key", rate=way.rate, timeout_s=timeout_s
    )
    try:
        yield SupabaseSink(RealtimeService(transport), way)
    finally:
        await transport.close()


def test_batches_carry_ids_of_their_own_and_the_key(
    database_url: str, conn: psycopg.Connection[DictRow], conversation: int
) -> None:
    """Every message is private and named by its event and topic; no batch exceeds a hundred; order is kept."""
    for number in range(70):
        append_message(conn, conversation, str(number))

    async def scenario() -> None:
        async with Supabase().serve() as supabase, http_sink(supabase) as sink:
            async with held_relay(database_url, sink) as relay:
                assert await relay.run_once() == 70
            assert supabase.headers["apikey"] == "the-secret-key"
            assert supabase.headers["Authorization"] == "Bearer the-secret-key"
            assert [len(batch) for batch in supabase.batches] == [99, 99, 12]
            ours = [m for m in supabase.messages if m["topic"].startswith("conversation:")]
            assert [m["payload"]["seq"] for m in ours] == list(range(1, 71))
            assert all(m["private"] for m in supabase.messages)
            named = {str(uuid5(UUID(m["payload"]["eventId"]), m["topic"])): m["topic"] for m in supabase.messages}
            assert [m["id"] for m in supabase.messages] == list(named)

    run(scenario)


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_an_outage_keeps_the_events(
    database_url: str, conn: psycopg.Connection[DictRow], conversation: int, status: int
) -> None:
    """Whatever says "not now" leaves the cursor where it is, with the status in the reason."""
    append_message(conn, conversation)

    async def scenario() -> None:
        async with Supabase().serve() as supabase, http_sink(supabase) as sink:
            supabase.answer = lambda _: web.Response(status=status, headers={"Retry-After": "7"}, text="no")
            async with held_relay(database_url, sink) as relay:
                with pytest.raises(SinkUnavailable, match=str(status)) as caught:
                    await relay.run_once()
                assert caught.value.retry_after_s == 7
                supabase.answer = lambda _: web.Response(status=202)
                assert await relay.run_once() == 1

    run(scenario)


def test_over_the_rate_the_events_wait(database_url: str, conn: psycopg.Connection[DictRow], conversation: int) -> None:
    """429 is no failure of the sink: it waits as long as it is told, in smaller batches where these are too large."""
    append_message(conn, conversation)

    async def scenario() -> None:
        async with (
            Supabase().serve() as supabase,
            http_sink(supabase) as sink,
            held_relay(database_url, sink) as relay,
        ):
            supabase.answer = lambda _: web.Response(status=429, text="please reduce the batch size")
            with pytest.raises(SinkOverRate):
                await relay.run_once()
            supabase.answer = lambda _: web.Response(status=429, headers={"Retry-After": "7"}, text="no")
            with pytest.raises(SinkOverRate, match="429") as caught:
                await relay.run_once()
            assert caught.value.retry_after_s == 7
            supabase.answer = lambda _: web.Response(status=202)
            with pytest.raises(SinkOverRate):
                await relay.run_once()
            assert relay.health.failures == 0

    run(scenario)
    assert one(conn, "select count(*) as n from parked_events")["n"] == 0


def test_what_was_too_much_at_once_is_not_counted(
    database_url: str, conn: psycopg.Connection[DictRow], conversation: int
) -> None:
    """Supabase counts what it takes; counted here as well, each try at a batch too large would slow down all others."""
    for number in range(20):
        append_message(conn, conversation, str(number))

    async def scenario() -> None:
        rate = Rate(1_000, clock=lambda: 100.0)
        room = rate.room() or 0
        async with (
            Supabase().serve() as supabase,
            http_sink(supabase, rate=rate) as sink,
            held_relay(database_url, sink) as relay,
        ):
            supabase.answer = lambda messages: (
                web.Response(status=202) if len(messages) < 10 else web.Response(status=429, text=TOO_LARGE)
            )
            settled = refusals = 0
            while settled < 20:
                try:
                    settled += await relay.run_once()
                except SinkOverRate:
                    refusals += 1
            assert refusals == 4, "100, 50, 25 and 12 at once were too many, and 6 were not"
            assert room - (rate.room() or 0) == len(supabase.messages)

    run(scenario)


def test_a_refused_batch_parks_only_the_culprit(
    database_url: str, conn: psycopg.Connection[DictRow], conversation: int
) -> None:
    """422 for a whole batch: it is halved until the message at fault stands alone."""
    for number in range(9):
        append_message(conn, conversation, str(number))

    async def scenario() -> None:
        async with Supabase().serve() as supabase, http_sink(supabase) as sink:

            def answer(messages: list[dict[str, Any]]) -> web.Response:
                bad = any(message["payload"]["content"] == "5" for message in messages)
                return web.Response(status=422 if bad else 202)

            supabase.answer = answer
            async with held_relay(database_url, sink) as relay:
                assert await relay.run_once() == 9
            ours = [m["payload"]["content"] for m in supabase.messages if m["topic"].startswith("conversation:")]
            assert ours == ["0", "1", "2", "3", "4", "6", "7", "8"]

    run(scenario)
    assert one(conn, "select payload->>'content' as content from parked_events")["content"] == "5"


def test_messages_that_are_named_are_parked_and_nobody_else(
    database_url: str, conn: psycopg.Connection[DictRow], conversation: int
) -> None:
    """A 422 that says which messages are wrong: all others go out with one more request, in order."""
    for number in range(9):
        append_message(conn, conversation, str(number))

    async def scenario() -> None:
        async with Supabase().serve() as supabase, http_sink(supabase) as sink:
            requests = 0

            def answer(messages: list[dict[str, Any]]) -> web.Response:
                nonlocal requests
                requests += 1
                problems = [{"payload": ["is odd"]} if m["payload"]["content"] in "25" else {} for m in messages]
                status = 422 if any(problems) else 202
                return web.json_response({"errors": {"messages": problems}}, status=status)

            supabase.answer = answer
            async with held_relay(database_url, sink) as relay:
                assert await relay.run_once() == 9
            ours = [m["payload"]["content"] for m in supabase.messages if m["topic"].startswith("conversation:")]
            assert (ours, requests) == (["0", "1", "3", "4", "6", "7", "8"], 2)

    run(scenario)
    rows = conn.execute("select payload->>'content' as content, reason from parked_events order by 1").fetchall()
    assert [(row["content"], row["reason"]) for row in rows] == [(n, "Supabase: payload is odd") for n in "25"]


def test_a_side_that_refuses_everything_is_at_fault_itself(
    database_url: str, conn: psycopg.Connection[DictRow], conversation: int
) -> None:
    """A proxy that answers 400 to all of a page stops the sink; no event is parked for it."""
    for number in range(5):
        append_message(conn, conversation, str(number))

    async def scenario() -> None:
        async with Supabase().serve() as supabase, http_sink(supabase) as sink:
            supabase.answer = lambda _: web.Response(status=400)
            async with held_relay(database_url, sink) as relay:
                with pytest.raises(SinkUnavailable, match="refused all of 5"):
                    await relay.run_once()

    run(scenario)
    assert one(conn, "select count(*) as n from parked_events")["n"] == 0


def test_a_server_that_hangs_or_is_gone_is_unavailable(
    database_url: str, conn: psycopg.Connection[DictRow], conversation: int
) -> None:
    """Silence ends at the timeout, a refused connection at once; both are reasons to wait, not to park."""
    append_message(conn, conversation)

    async def scenario() -> None:
        async with Supabase().serve() as supabase:
            supabase.talks.clear()
            async with http_sink(supabase, timeout_s=0.2) as sink, held_relay(database_url, sink) as relay:
                with pytest.raises(SinkUnavailable, match="in time"):
                    await relay.run_once()
            supabase.talks.set()
        async with http_sink(supabase) as sink, held_relay(database_url, sink) as relay:
            with pytest.raises(SinkUnavailable, match="cannot be reached"):
                await relay.run_once()

    run(scenario)
