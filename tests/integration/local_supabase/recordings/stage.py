"""What a recording says in words only: tables and policies made on the way, and bursts that were left out."""

import asyncio

from realtime_bridge.shared.sql import Statements
from tests.integration.local_supabase.recordings.peers import Peer, open_peer
from tests.integration.local_supabase.recordings.replay import Hook, Replay

_EXTRAS = Statements(__file__.replace("stage.py", "project_extras.py"))
_TICKS_OF_EIGHTY_SECONDS = 16


def _run(name: str) -> Hook:
    async def hook(replay: Replay) -> None:
        await replay.execute(_EXTRAS[name])

    return hook


async def _drop_write_policy(replay: Replay) -> None:
    await replay.execute("drop policy part_write on realtime.messages")


async def _drop_read_policy(replay: Replay) -> None:
    await replay.execute("drop policy part_read on realtime.messages")


async def _burst_of_broadcasts(replay: Replay) -> None:
    """B sends 150 broadcasts: 150 acks for b, 150 messages for a; then the counters are evaluated."""
    payload = {"type": "broadcast", "event": "burst", "payload": {}}
    for number in range(150):
        await replay.peers["b"].send(
            replay.frame("b", "realtime:room-11a", "broadcast", payload, "1", f"burst{number}")
        )
    for label in ("a", "b"):
        for _ in range(150):
            await asyncio.wait_for(replay.peers[label].received.get(), 10)
    replay.project.context.rates.tick()


async def _long_pause(replay: Replay) -> None:
    await replay.read_up()
    for _ in range(_TICKS_OF_EIGHTY_SECONDS):
        replay.project.context.rates.tick()


async def _burst_of_requests(replay: Replay) -> None:
    for _ in range(150):
        data = {"method": "POST", "path": "/realtime/v1/api/broadcast", "headers": {"Content-Type": "application/json"}}
        await replay.request(data, b"{}")
    replay.project.context.rates.tick()


async def _burst_of_joins(replay: Replay) -> None:
    for number in range(40):
        ref = f"burst{number}"
        await replay.peers["a"].send(
            replay.frame("a", f"realtime:room-11d-{number}", "phx_join", {"config": {}}, ref, ref)
        )
    for _ in range(40):
        await asyncio.wait_for(replay.peers["a"].received.get(), 10)
    replay.project.context.rates.tick()


async def _presence_crowd(replay: Replay) -> None:
    """Eight connections join with presence and track four times each; the second is called e and x1 later."""
    labels = ["a", *(f"x{number}" for number in range(1, 8))]
    topic = "realtime:room-11f"
    for number, label in enumerate(labels):
        query = {"apikey": replay.values.token("<jwt:anon>"), "vsn": replay.version("b")}
        peer = await open_peer(replay.url, {"path": "/realtime/v1/websocket", "query": query})
        assert isinstance(peer, Peer)
        replay.add_peer(label, peer, query["vsn"])
        config = {"config": {"presence": {"key": f"k{number}", "enabled": True}}}
        await peer.send(replay.frame(label, topic, "phx_join", config, "1", "1"))
    for label in labels:
        for turn in range(4):
            payload = {"type": "presence", "event": "track", "payload": {"j": turn}}
            await replay.peers[label].send(replay.frame(label, topic, "presence", payload, "1", f"t{turn}"))
    await asyncio.sleep(1)  # the recording left these frames out: wait until they are all here, then forget them
    for label in [*labels, "b"]:
        replay.forget_received(label)
    replay.project.context.rates.tick()
    replay.alias("e", "x1")


HOOKS: dict[tuple[str, str], Hook] = {
    ("07b", "trigger on golden_notes"): _run("broadcast_trigger"),
    ("09e", "table golden_types("): _run("many_types"),
    ("09f", "golden_nogrant("): _run("odd_grants"),
    ("05g", "policy on realtime.messages for select to authenticated using (realtime.topic() = 'broadcast-only'"): _run(
        "policies_by_extension"
    ),
    ("05g", "(dropped)"): _drop_write_policy,
    ("05g", "the read policy is dropped"): _drop_read_policy,
    ("11a", "b sends 150 broadcasts"): _burst_of_broadcasts,
    ("11a", "80 s without traffic"): _long_pause,
    ("11b", "150 requests at once"): _burst_of_requests,
    ("11d", "40 joins at once"): _burst_of_joins,
    ("11f", "8 connections join"): _presence_crowd,
}


def hook_for(scenario: str, text: str) -> Hook | None:
    """The action behind a note, if it stands for one."""
    for (number, start), hook in HOOKS.items():
        if scenario.startswith(number) and text.startswith(start):
            return hook
    return None
