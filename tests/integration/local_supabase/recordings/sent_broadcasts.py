"""What was sent in the recorded scenarios of broadcasts; what came back lies in `transcripts/scenarios`."""

import time
from collections.abc import Callable
from typing import Any

from tests.integration.local_supabase.recordings.recorded_scenarios import OTHER, USER
from tests.integration.local_supabase.recordings.scenario_run import ScenarioRun
from tests.integration.local_supabase.serving import token

REPLAYS: list[Callable[[int], Any]] = [
    lambda now: {"since": now - 60_000},
    lambda now: {"since": now - 60_000, "limit": 2},
    lambda now: {"since": now - 60_000, "limit": 0},
    lambda now: {"since": now - 60_000, "limit": -1},
    lambda now: {"since": now - 60_000, "limit": 26},
    lambda now: {"since": now - 60_000, "limit": "3"},
    lambda now: {"since": now + 60_000},
    lambda now: {"since": str(now - 60_000)},
    lambda now: {"since": float(now - 60_000)},
    lambda _: {"since": -1},
    lambda _: {"since": None},
    lambda _: {"limit": 3},
    lambda _: {},
    lambda _: [],
    lambda _: "x",
    lambda now: {"since": now - 60_000, "limit": 25, "extra": 1},
    lambda _: {"since": 10**18},
]


async def s12_replay(run: ScenarioRun) -> None:
    for number in range(5):
        await run.sql(f"select realtime.send(jsonb_build_object('n',{number}),'ev','room:rp',true)")
    await run.sql("select realtime.send('{\"pub\":1}','ev','room:rp',false)")
    await run.caught_up()
    await run.step("written")
    now = int(time.time() * 1000)
    for number, replay in enumerate(REPLAYS):
        for version in ("2.0.0", "1.0.0") if number <= 1 else ("2.0.0",):
            label = f"r{number:02d}{version[0]}"
            await run.open(label, version)
            config = {"private": True, "broadcast": {"self": True, "replay": replay(now)}}
            await run.join(label, "room:rp", config, token("authenticated", sub=USER))
    await run.step("all joined")


def _message(**changed: Any) -> dict[str, Any]:
    return {"topic": "hb", "event": "e", "payload": {"n": 1}, **changed}


async def s14_http_batch_mixes(run: ScenarioRun) -> None:
    await run.open("a")
    await run.open("p")
    await run.open("v", "1.0.0")
    await run.join("a", "hb", {})
    await run.join("v", "hb", {})
    await run.join("p", "room:hb", {"private": True}, token("authenticated", sub=USER))
    await run.step("joined")
    m = _message
    private = {"topic": "room:hb", "private": True}
    for name, messages in (
        ("public+private", [m(), m(**private)]),
        ("same topic public and private", [m(topic="room:hb"), m(**private, payload={"n": 2})]),
        ("two ids", [m(id="i1"), m(id="i2")]),
        ("same id twice, one topic", [m(id="d"), m(id="d")]),
        ("same id, two topics", [m(id="d"), m(**private, id="d")]),
        ("same id thrice with a bad one", [m(id="d"), m(id="d", event=None), m(id="d")]),
        ("id null twice", [m(id=None), m(id=None)]),
        ("id empty twice", [m(id=""), m(id="")]),
        ("id blank", [m(id="  ")]),
        ("id int", [m(id=5)]),
        ("id object", [m(id={})]),
        ("id very long", [m(id="x" * 300)]),
        ('private "true"', [m(topic="room:hb", private="true")]),
        ('private "yes"', [m(private="yes")]),
        ("private null", [m(private=None)]),
        ("private 1", [m(topic="room:hb", private=1)]),
        ("payload list", [m(payload=[1])]),
        ("payload null", [m(payload=None)]),
        ("payload text", [m(payload="x")]),
        ("payload empty", [m(payload={})]),
        ("topic blank", [m(topic="  ")]),
        ("topic int", [m(topic=5)]),
        ("topic realtime: prefix", [m(topic="realtime:hb")]),
        ("topic long", [m(topic="t" * 5000)]),
        ("event long", [m(event="e" * 5000)]),
        ("event unicode", [m(event="é💥 /?")]),
        ("extra keys", [m(type="broadcast", meta={"id": "z"}, foo=1)]),
        ("empty", []),
        ("object with digits", {"0": m(), "1": m(payload={"n": 2})}),
        ("object odd", {"x": m()}),
        ("mixed good and bad", [m(), {"topic": "hb"}, m(payload={"n": 3})]),
        ("not objects", [1, "x"]),
        ("null entry", [None, m()]),
        ("100", [m(payload={"n": number}) for number in range(100)]),
    ):
        await run.post({"messages": messages})
        await run.step(name)
    for name, body in (
        ("array body", [m()]),
        ("messages and more", {"messages": [m()], "x": 1}),
        ("no messages", {"m": 1}),
        ("null messages", {"messages": None}),
    ):
        await run.post(body)
        await run.step(name)
    for name, key in (
        ("anon", token()),
        ("authenticated", token("authenticated", sub=USER)),
        ("other user", token("authenticated", sub=OTHER)),
    ):
        await run.post({"messages": [m(), m(**private), m(topic=f"allowed:{USER}", private=True, id="q")]}, key)
        await run.step(name)


async def s18_db_functions_odd(run: ScenarioRun) -> None:
    for label, version in (("a", "2.0.0"), ("v", "1.0.0"), ("q", "2.0.0")):
        await run.open(label, version)
    for label in ("a", "v"):
        await run.join(label, "room:fn", {"private": True}, token("authenticated", sub=USER))
    await run.join("q", "room:fn", {})
    await run.step("joined")
    insert = "insert into realtime.messages(topic,extension,payload,event,private"
    for statement in (
        *(
            f"select realtime.send({arguments})"
            for arguments in (
                "'{\"a\":1}','e','room:fn',true",
                "'{\"a\":1}','e','room:fn',false",
                "'{\"a\":1}','e','room:fn'",
                "'{\"id\":\"mine\"}','e','room:fn',true",
                "'{\"id\":null}','e','room:fn',true",
                "'[1]','e','room:fn',true",
                "'5','e','room:fn',true",
                "'null','e','room:fn',true",
                "null,'e','room:fn',true",
                "'{}',null,'room:fn',true",
                "'{}','e',null,true",
                "'{}','e','room:fn',null",
                "'{}','','room:fn',true",
                "'{}','e','',true",
            )
        ),
        "select realtime.send_binary('\\x0001ff','e','room:fn',true)",
        "select realtime.send_binary('','e','room:fn',true)",
        "select realtime.send_binary(null,'e','room:fn',true)",
        "select realtime.broadcast_changes('room:fn','E','INSERT','t','s',row(1,'a'),null)",
        "select realtime.broadcast_changes('room:fn','E','DELETE','t','s',null,row(1,'a'))",
        "select realtime.broadcast_changes('room:fn','E','FOO','t','s',row(1,'a'),null)",
        f"{insert}) values ('room:fn','broadcast','{{\"raw\":1}}','e',true)",
        f"{insert}) values ('room:fn','presence','{{\"raw\":1}}','e',true)",
        f"{insert},inserted_at) values ('room:fn','broadcast','{{\"old\":1}}','e',true, now()-interval '30 days')",
        "update realtime.messages set payload='{\"u\":1}' where topic='room:fn'",
        "delete from realtime.messages where topic='room:fn'",
        "select realtime.send(jsonb_build_object('y',repeat('y',4000000)),'e','room:fn',true)",
        "select realtime.topic()",
    ):
        await run.sql(statement)
        await run.step(statement[:90])
    for statement in (
        "select realtime.send('{\"a\":1}','e','room:fn',true)",
        "select realtime.send('{\"a\":1}','e','allowed:nobody',true)",
        f"{insert}) values ('room:fn','broadcast','{{\"raw\":2}}','e',true)",
        "select * from realtime.subscription",
        "select * from realtime.messages limit 1",
    ):
        await run.sql(statement, role="authenticated")
        await run.step(f"as authenticated: {statement[:80]}")
