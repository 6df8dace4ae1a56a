"""`crossfade keys`: create, list and revoke API keys. The only place where a key's text is ever shown."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import click
import psycopg

from gateway.database import Connection
from gateway.domain import key_text
from gateway.domain.keys import ApiKey, NewKey, Scope
from gateway.store import keys as store
from ops.cli.answers import answers
from ops.cli.options import Word, again, key_env
from ops.errors import NoAccount, OpsError
from ops.terminal.output import Answer, Column, Rows, picked
from realtime_bridge.shared import variables

MAX_PER_MIN = 100_000  # the window of a limit is a list of that length in Redis
MAX_NAME_CHARS = 255  # what the API allows, too
UNITS = {"m": "minutes", "h": "hours", "d": "days"}
MAX_LIFETIME = timedelta(days=3650)
SHOWN = (
    *("id", "name", "prefix", "env", "account_id", "scopes", "rate_limit", "send_rate_limit"),
    *("created_at", "expires_at", "revoked_at", "last_used_at"),
)
SHOWN_ONCE = "This is the only time the key is shown; only a hash of it is kept."


def _scopes(text: str) -> tuple[str, ...] | None:
    words = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    return words if words and set(words) <= set(Scope) else None


def _lifetime(text: str) -> timedelta | None:
    match = re.fullmatch(r"([1-9][0-9]{0,6})([mhd])", text)
    lifetime = timedelta(**{UNITS[match[2]]: int(match[1])}) if match else None
    return lifetime if lifetime and lifetime <= MAX_LIFETIME else None


def _name(text: str) -> str | None:
    return text if text.strip() and len(text) <= MAX_NAME_CHARS and text.isprintable() else None


SCOPES = Word("scope,scope", _scopes, f"a list of scopes; there are {', '.join(Scope)}.")
LIFETIME = Word("duration", _lifetime, "a time such as 90m, 12h or 30d (ten years at most).")
NAME = Word("text", _name, f"a name: write 1 to {MAX_NAME_CHARS} characters that can be seen.")
ENV = Word(
    "word",
    lambda text: text if variables.KEY_ENV.fullmatch(text) else None,
    "1 to 16 lower-case letters, such as live or test.",
)


@click.group()
def keys() -> None:
    """Create, list and revoke API keys.

    \b
    Exit codes:
      0  done
      1  failed; the reason is one sentence on stderr
      2  the command line makes no sense
    """  # noqa: D301  click's mark for "do not wrap" is a real backspace


@keys.command()
@click.option("--account", "account_id", type=click.UUID, required=True, help="The user whose data the key opens.")
@click.option("--name", type=NAME, required=True, help="What people call the key.")
@click.option("--scopes", type=SCOPES, default="chat:read,chat:write", show_default=True, help="What the key may do.")
@click.option("--expires-in", type=LIFETIME, help="Stop working after, say, 30d, 12h or 90m; never without it.")
@click.option(
    "--rate-limit", type=click.IntRange(1, MAX_PER_MIN), help="Requests per minute; the account then has as many."
)
@click.option("--send-rate-limit", type=click.IntRange(1, MAX_PER_MIN), help="Messages sent per minute; likewise.")
@click.option(
    "--env", type=ENV, help="The word in the key: live, test …  [CROSSFADE_ENV, or that of the stack; default: live]"
)
@answers
def create(
    connection: Connection,
    *,
    account_id: UUID,
    expires_in: timedelta | None,
    env: str | None,
    **chosen: Any,
) -> Answer:
    """Make a key and show it, once."""
    text = key_text.mint(env or key_env())
    expires_at = datetime.now(UTC) + expires_in if expires_in else None
    try:
        key = store.insert(connection, text, account_id, NewKey(expires_at=expires_at, **chosen))
    except psycopg.errors.ForeignKeyViolation:
        raise NoAccount(account_id) from None
    except psycopg.errors.CheckViolation:
        raise OpsError(f"{account_id} is the canary, which is no account: nobody may speak in its name.") from None
    lines = (click.style(text.text, bold=True), f"{SHOWN_ONCE} Its id is {key.id}.")
    return Answer({"key": text.text, **_described(key)}, *lines)


@keys.command(name="list")
@click.option("--account", "account_id", type=click.UUID, help="Only the keys of this user.")
@answers
def list_keys(connection: Connection, *, account_id: UUID | None) -> Answer:
    """Show keys, newest first; never their text."""
    found = store.list_some(connection, account_id)
    names: dict[UUID, list[str]] = {}
    for key in found:
        names.setdefault(key.account_id, []).append(key.name)
    owners = [f"account {owner}: {', '.join(names[owner])}" for owner in sorted(names)]
    return Answer([_described(key) for key in found], Rows(found, COLUMNS, "There are no keys."), *owners)


@keys.command()
@click.argument("key_id")
@answers
def revoke(connection: Connection, *, key_id: str) -> Answer:
    """Make the key KEY_ID stop working, within a second and for good."""
    key = store.revoke(connection, key_id)
    if key is None:
        raise OpsError(f"There is no key {key_id!r}; {again('crossfade keys list')} shows the ids.")
    return Answer(_described(key), f"{key.prefix} ({key.name}) no longer works.")


def _described(key: ApiKey) -> dict[str, object]:
    return picked(key, *SHOWN) | {"state": key.state}


COLUMNS = (
    Column("id", "id"),
    Column("name", "name"),
    Column("scopes", lambda key: " ".join(key.scopes)),
    Column("requests/min", lambda key: key.rate_limit or "default", right=True),
    Column("sends/min", lambda key: key.send_rate_limit or "default", right=True),
    Column("last used", lambda key: key.last_used_at or "never"),
    Column("expires", lambda key: key.expires_at or "never"),
    Column("state", "state"),
)
