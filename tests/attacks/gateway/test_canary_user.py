"""Attack: become the user of the bridge's own measuring, whose token hears the bridge's own conversation."""

from dataclasses import replace

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.rows import DictRow

from gateway.app import create_app
from gateway.process.runtime import running
from gateway.settings import Settings
from ops.cli.main import main
from realtime_bridge.shared.canary_user import CANARY_EMAIL, CANARY_ID
from tests.factories import make_key
from tests.integration.gateway.conftest import Account, problem
from tests.integration.gateway.conversations.test_users import NAMING, crossfade
from tests.integration.gateway.events.test_realtime_sessions import SIDES


def test_nobody_becomes_the_canary(
    settings: Settings, account: Account, conn: psycopg.Connection[DictRow], database_url: str
) -> None:
    """The user of the bridge's own measuring is never named, allowed, given a session or a key: it is nobody."""
    conn.execute("insert into auth.users (id, email) values (%s, %s)", (CANARY_ID, CANARY_EMAIL))
    assert crossfade(database_url, "scope", "everybody")[0] == 0
    conversation = account.make_conversation()
    with running(create_app(replace(settings, **SIDES))) as open_app:
        caller = replace(account, client=open_app.test_client())
        for path, body in (naming(conversation, str(CANARY_ID)) for naming in NAMING.values()):
            document = problem(caller.post(path, body), 422, "validation_failed")
            assert document["errors"][0]["code"] == "unknown_user"
        conn.execute("insert into conversation_participants values (%s, %s, 'client')", (conversation, CANARY_ID))
        problem(caller.post("/realtime/sessions", {"userId": str(CANARY_ID)}), 404, "not_found")
    code, output = crossfade(database_url, "allow", CANARY_EMAIL, "--account", account.id)
    assert (code, f"There is no user {CANARY_EMAIL}" in output) == (1, True)
    assert crossfade(database_url, "list", "--account", CANARY_ID)[0] == 1
    with pytest.raises(psycopg.errors.CheckViolation):
        make_key(conn, CANARY_ID)
    words = ["keys", "create", "--account", str(CANARY_ID), "--name", "x"]
    result = CliRunner().invoke(main, words, env={"DATABASE_URL": database_url})
    assert (result.exit_code, "is the canary" in result.output) == (1, True)
