"""What was sent in the recorded scenarios, step by step; what came back lies in `transcripts/scenarios`."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from tests.integration.local_supabase.recorded_scenarios import OTHER, USER
from tests.integration.local_supabase.scenario_run import ScenarioRun
from tests.integration.local_supabase.serving import token

Sender = Callable[[ScenarioRun], Awaitable[None]]
R_TABLES = ("r_full", "r_def", "r_none", "r_idx")
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


def changes(event: str, table: str, condition: str | None = None, schema: str = "public") -> dict[str, str]:
    """One entry of `postgres_changes`."""
    entry = {"event": event, "schema": schema, "table": table}
    return entry if condition is None else {**entry, "filter": condition}


async def s05_changes_each_filter(run: ScenarioRun) -> None:
    await run.sql("truncate public.f1")
    for number, condition in enumerate(run.noted("filter")):
        await run.open(f"f{number:02d}")
        await run.join(
            f"f{number:02d}", f"cf{number}", {"postgres_changes": [changes("*", "f1", condition.replace("<U>", USER))]}
        )
    await run.step("subscribed")
    columns = "id,name,n,flag,at,tags,u,f,j"
    await run.sql(
        f"insert into public.f1({columns}) values (1,'alpha',1,true,'2026-05-01','{{a,b}}','{USER}',-1,'{{\"a\":1}}')"
    )
    await run.step("insert alpha")
    await run.sql(
        f"insert into public.f1({columns}) values (2,'be,ta',2.5,false,'2025-05-01','{{c}}','{OTHER}',1e10,'[]'),"
        "(3,null,'NaN',null,null,null,null,'Infinity',null)"
    )
    await run.step("insert 2")
    await run.sql("update public.f1 set name='gamma' where id=1")
    await run.step("update alpha to gamma")
    await run.sql("update public.f1 set id=9 where id=2")
    await run.step("update id")
    await run.sql("delete from public.f1 where id=1")
    await run.step("delete 1")
    await run.sql("delete from public.f1 where id=3")
    await run.step("delete 3 (nulls)")


async def s06_several_bindings(run: ScenarioRun) -> None:
    await run.sql("truncate public.f1")
    await run.sql("truncate s4.t")
    await run.open("a")
    wanted = [
        changes("*", "f1"),
        changes("INSERT", "f1"),
        changes("insert", "f1", "id=eq.1"),
        changes("UPDATE", "f1"),
        changes("DELETE", "f1"),
        changes("*", "f1", "id=eq.1"),
        *({"event": "*", "schema": schema} for schema in ("public", "s4", "*")),
        changes("*", "f1"),
        changes("*", "*"),
        changes("*", "t", schema="s4"),
        changes("*", "Tab.le", schema="Odd Schema"),
        changes("*", "Camel Case"),
    ]
    await run.join("a", "sb", {"postgres_changes": wanted})
    await run.step("joined")
    for statement in (
        "insert into public.f1(id,name) values (1,'a')",
        "update public.f1 set name='b'",
        "delete from public.f1",
        "insert into s4.t values (1,'x') on conflict do nothing",
        "insert into \"Odd Schema\".\"Tab.le\" values (1,'x') on conflict (id) do update set v=excluded.v||'!'",
        'truncate public."Camel Case"',
        "insert into public.\"Camel Case\" values (1,'n','q\"')",
        'update public."Camel Case" set "The Name"=\'m\'',
        "truncate public.f1",
    ):
        await run.sql(statement)
        await run.step(statement)


async def s08_column_types(run: ScenarioRun) -> None:
    await run.sql("truncate public.ty")
    await run.open("a")
    await run.join("a", "ct", {"postgres_changes": [changes("*", "ty")]})
    await run.open("b", "1.0.0")
    await run.join("b", "ct1", {"postgres_changes": [changes("*", "ty")]})
    await run.step("joined")
    await run.sql(run.statement("s08_all_types.sql"))
    await run.step("all types")
    await run.sql(
        "insert into public.ty(id,c_f8,c_f4,c_num,c_date,c_ts,c_tstz,c_txt,c_int,c_bytea,c_ta)"
        " values (1,'NaN','-Infinity','NaN','infinity','-infinity','infinity','','-00:00:01','','{}')"
    )
    await run.step("specials")
    await run.sql("insert into public.ty(id) values (2)")
    await run.step("nulls")
    await run.sql(
        "insert into public.ty(id,c_f8,c_f4,c_num,c_num2) values (3,1e300,3.4e38,0.10,100),"
        "(4,100000000000000000000,16777217,1e-20,-0.01),(5,-0.0,0.1,1000000000000000000000000000000,0)"
    )
    await run.step("numbers")
    await run.sql("update public.ty set c_txt='upd' where id=9007199254740993")
    await run.step("update")
    await run.sql(
        "set datestyle='German'; set timezone='Asia/Tokyo'; set intervalstyle='iso_8601';"
        " update public.ty set c_bool=false where id=9007199254740993"
    )
    await run.step("update under other session settings")
    await run.sql("delete from public.ty")
    await run.step("delete")


async def s09_rls_replica_identity(run: ScenarioRun) -> None:
    await run.sql("alter publication supabase_realtime add table public.r_none")
    wanted = {"postgres_changes": [changes("*", table) for table in R_TABLES]}
    tokens = {
        "me": token("authenticated", sub=USER),
        "other": token("authenticated", sub=OTHER),
        "anon": None,
        "svc": token("service_role"),
    }
    for label in tokens:
        await run.open(label)
    for (label, key), topic in zip(tokens.items(), ("rr", "rr2", "rr3", "rr4"), strict=True):
        await run.join(label, topic, wanted, key)
    await run.step("joined")
    for table in R_TABLES:
        for step, statement in (
            ("insert", f"insert into public.{table} values (1,'x','{USER}')"),
            ("update", f"update public.{table} set a='y'"),
            ("give away", f"update public.{table} set uid='{OTHER}'"),
            ("update pk", f"update public.{table} set id=2"),
            ("delete", f"delete from public.{table}"),
        ):
            await run.sql(statement)
            await run.step(f"{step} {table}")


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
    """Without the recorded steps in which an id stands twice in a batch: those have a recording of their own, 06g."""
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


SENT: dict[str, Sender] = {
    function.__name__: function
    for function in (
        s05_changes_each_filter,
        s06_several_bindings,
        s08_column_types,
        s09_rls_replica_identity,
        s12_replay,
        s14_http_batch_mixes,
        s18_db_functions_odd,
    )
}
