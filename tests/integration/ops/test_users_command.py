"""`crossfade users create` through the Auth API of a running project."""

import asyncio
import json
import subprocess
from collections.abc import Callable
from uuid import UUID, uuid4

import aiohttp
import psycopg
from click.testing import CliRunner, Result
from psycopg.rows import DictRow

from gateway.store import users as store
from ops.cli.main import main
from ops.local_supabase.settings import CLI_PUBLISHABLE_KEY, CLI_SECRET_KEY
from tests.factories import make_user
from tests.integration.local_supabase.serving import serving
from tests.integration.ops.test_output import CAMEL, names

Crossfade = Callable[..., Result]
PASSWORD = "correct horse battery"


def play(database_url: str, admin_url: str, scene: Callable[[Crossfade, str], None]) -> None:
    """Run a scene, in a thread, beside an endpoint on the test's database."""

    async def run() -> None:
        async with serving(admin_url) as endpoint:
            environment = {
                "DATABASE_URL": database_url,
                "CROSSFADE_DATA_DIR": "",
                "SUPABASE_URL": endpoint.url,
                "SUPABASE_SECRET_KEY": CLI_SECRET_KEY,
            }

            def crossfade(*words: object, **changes: str) -> Result:
                typed = changes.pop("typed", None)
                line = ["users", *(str(word) for word in words)]
                return CliRunner().invoke(main, line, env=environment | changes, input=typed)

            await asyncio.to_thread(scene, crossfade, endpoint.url)

    asyncio.run(run())


def test_a_created_user_can_be_named_and_signs_in(
    database_url: str, admin_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """One line makes the user that the next one would have to find, and Auth knows it as one of its own."""
    account = make_user(conn)

    def scene(crossfade: Crossfade, url: str) -> None:
        assert crossfade("allow", "ana@example.com", "--account", account).exit_code == 1
        made = crossfade(
            "create", "Ana@example.com", "--account", account, "--password-stdin", "--json", typed=f"{PASSWORD}\n"
        )
        assert made.exit_code == 0, made.output
        document = json.loads(made.stdout)
        assert {name for name in names(document) if not CAMEL.fullmatch(name)} == set()
        ana = UUID(document["users"][0]["id"])
        with psycopg.connect(database_url) as connection:
            assert store.find_unknown_users(connection, account, [ana]) == set()
        made = crossfade("create", "ben@example.com")
        assert made.stdout.startswith("Created ")
        assert "There is no password to sign in with; --password-stdin gives one" in made.stdout
        assert crossfade("allow", "ben@example.com", "--account", account).exit_code == 0
        assert asyncio.run(sign_in(url, "ana@example.com")) == str(ana)
        public = {"SUPABASE_PUBLISHABLE_KEY": CLI_PUBLISHABLE_KEY}
        made = crossfade("create", "o'hara@example.com", "--password-stdin", typed=f"{PASSWORD}\n", **public)
        (line,) = [line for line in made.stdout.splitlines() if line.startswith("  curl ")]
        said = subprocess.run(
            ["sh", "-c", line.replace("…", PASSWORD)], capture_output=True, text=True, timeout=30, check=True
        )
        assert json.loads(said.stdout)["user"]["email"] == "o'hara@example.com"

    play(database_url, admin_url, scene)


async def sign_in(url: str, email: str) -> str:
    """Return the id of who signed in with the password."""
    body = {"email": email, "password": PASSWORD}
    async with (
        aiohttp.ClientSession(headers={"apikey": CLI_PUBLISHABLE_KEY}) as session,
        session.post(f"{url}/auth/v1/token?grant_type=password", json=body) as answer,
    ):
        return str((await answer.json())["user"]["id"])


def test_what_cannot_be_created_is_one_sentence(
    database_url: str, admin_url: str, conn: psycopg.Connection[DictRow]
) -> None:
    """A taken address, an account that is none, a key that may not, no address at all: each says what it is."""
    make_user(conn, "taken@example.com")
    account = make_user(conn)

    def scene(crossfade: Crossfade, _: str) -> None:
        for code, words, line, changes in (
            (1, "already been registered", ("taken@example.com",), {}),
            (1, "Nobody was created", ("new@example.com", "--account", uuid4()), {}),
            (1, "User not allowed", ("new@example.com",), {"SUPABASE_SECRET_KEY": CLI_PUBLISHABLE_KEY}),
            (1, "Set SUPABASE_URL and SUPABASE_SECRET_KEY", ("new@example.com",), {"SUPABASE_URL": ""}),
            (1, "did not answer", ("new@example.com",), {"SUPABASE_URL": "http://127.0.0.1:1"}),
            (1, "Password should be at least", ("new@example.com", "--password-stdin"), {"typed": "x\n"}),
            (2, "no password on stdin", ("new@example.com", "--password-stdin"), {"typed": "\n"}),
            (2, "is not an e-mail address", ("new",), {}),
        ):
            refused = crossfade("create", *line, **changes)
            assert (refused.exit_code, words in " ".join(refused.output.split())) == (code, True), refused.output
            assert "Traceback" not in refused.output
        refused = crossfade("allow", "new@example.com", "--account", uuid4())
        assert refused.exit_code == 1
        refused = crossfade("create", "taken@example.com", "--account", account, COLUMNS="250")
        assert (
            f"`crossfade users allow taken@example.com --account {account}` lets the account name it" in refused.output
        )

    play(database_url, admin_url, scene)
    found = conn.execute("select email from auth.users where email like 'new%'").fetchall()
    assert found == []


def test_a_name_that_nobody_has_is_told_how_to_make(database_url: str, conn: psycopg.Connection[DictRow]) -> None:
    """The sentence names the command."""
    account = make_user(conn)
    line = ["users", "allow", "ana@example.com", "--account", str(account)]
    refused = CliRunner().invoke(main, line, env={"DATABASE_URL": database_url, "CROSSFADE_DATA_DIR": ""})
    assert "There is no user ana@example.com; nothing was changed. crossfade users create makes users" in refused.output
