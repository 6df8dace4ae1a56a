"""What was sent in the recorded scenarios of Postgres Changes; what came back lies in `transcripts/scenarios`."""

from tests.integration.local_supabase.recordings.recorded_scenarios import OTHER, USER
from tests.integration.local_supabase.recordings.scenario_run import ScenarioRun
from tests.integration.local_supabase.serving import token

R_TABLES = ("r_full", "r_def", "r_none", "r_idx")


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
