"""`crossfade keys`: create, list and revoke API keys. The only place where a key's text is ever shown."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import click
import psycopg
from rich.console import Console

from gateway.domain import key_text as api_keys
from gateway.domain.keys import ApiKey, Scope
from gateway.store import keys as store
from ops.cli.options import again, database_option, json_option, key_env, open_database
from ops.errors import OpsError
from ops.terminal.output import Column, encode, say, show
from realtime_bridge.shared import variables as shared_variables

MAX_PER_MIN = 100_000  # the window of a limit is a list of that length in Redis
MAX_NAME_CHARS = 255  # what the API allows, too
UNITS = {"m": "minutes", "h": "hours", "d": "days"}
MAX_LIFETIME = timedelta(days=3650)
SHOWN_ONCE = "This is the only time the key is shown; only a hash of it is kept."


class KeysError(OpsError):
    """There is no such key or account."""


class Scopes(click.ParamType[tuple[str, ...]]):
    name = "scope,scope"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        words = tuple(dict.fromkeys(word.strip() for word in str(value).split(",") if word.strip()))
        if not words or any(word not in set(Scope) for word in words):
            self.fail(f"{value!r} is not a list of scopes; there are {', '.join(Scope)}.", param, ctx)
        return words


class Lifetime(click.ParamType[timedelta]):
    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        match = re.fullmatch(r"([1-9][0-9]{0,6})([mhd])", str(value))
        lifetime = timedelta(**{UNITS[match[2]]: int(match[1])}) if match else None
        if lifetime is None or lifetime > MAX_LIFETIME:
            self.fail(f"{value!r} is not a time such as 90m, 12h or 30d (ten years at most).", param, ctx)
        return lifetime


class Name(click.ParamType[str]):
    name = "text"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not str(value).strip() or len(str(value)) > MAX_NAME_CHARS or not str(value).isprintable():
            self.fail(f"{value!r} is not a name: write 1 to {MAX_NAME_CHARS} characters that can be seen.", param, ctx)
        return str(value)


class Env(click.ParamType[str]):
    name = "word"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not shared_variables.KEY_ENV.fullmatch(str(value)):
            self.fail(f"{value!r} is not 1 to 16 lower-case letters, such as live or test.", param, ctx)
        return str(value)


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
@click.option("--name", type=Name(), required=True, help="What people call the key.")
@click.option("--scopes", type=Scopes(), default="chat:read,chat:write", show_default=True, help="What the key may do.")
@click.option("--expires-in", type=Lifetime(), help="Stop working after, say, 30d, 12h or 90m; never without it.")
@click.option(
    "--rate-limit", type=click.IntRange(1, MAX_PER_MIN), help="Requests per minute; the account then has as many."
)
@click.option("--send-rate-limit", type=click.IntRange(1, MAX_PER_MIN), help="Messages sent per minute; likewise.")
@click.option(
    "--env", type=Env(), help="The word in the key: live, test …  [CROSSFADE_ENV, or that of the stack; default: live]"
)
@database_option
@json_option
def create(
    *,
    account_id: UUID,
    name: str,
    scopes: tuple[str, ...],
    expires_in: timedelta | None,
    rate_limit: int | None,
    send_rate_limit: int | None,
    env: str | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Make a key and show it, once."""
    text = api_keys.mint(env or key_env(data_dir))
    with open_database(data_dir) as connection:
        try:
            key = store.insert(
                connection,
                text,
                account_id=account_id,
                name=name,
                scopes=scopes,
                rate_limit=rate_limit,
                send_rate_limit=send_rate_limit,
                expires_at=datetime.now(UTC) + expires_in if expires_in else None,
            )
        except psycopg.errors.ForeignKeyViolation:
            raise KeysError(f"There is no user {account_id}; an account is a row of auth.users.") from None
        except psycopg.errors.CheckViolation:
            raise KeysError(f"{account_id} is the canary, which is no account: nobody may speak in its name.") from None
    if as_json:
        click.echo(encode({"key": text.text, **_as_dict(key)}))
        return
    Console(highlight=False, soft_wrap=True).print(f"[bold]{text.text}[/bold]\n{SHOWN_ONCE} Its id is {key.id}.")


@keys.command(name="list")
@click.option("--account", "account_id", type=click.UUID, help="Only the keys of this user.")
@database_option
@json_option
def list_keys(*, account_id: UUID | None, data_dir: Path | None, as_json: bool) -> None:
    """Show keys, newest first; never their text."""
    with open_database(data_dir) as connection:
        found = store.list_all(connection, account_id)
    document = [_as_dict(key) for key in found]
    show(found, COLUMNS, as_json=as_json, document=document, empty="There are no keys.")
    if as_json:
        return
    for owner in sorted({key.account_id for key in found}):
        names = ", ".join(key.name for key in found if key.account_id == owner)
        click.echo(f"account {owner}: {names}")


@keys.command()
@click.argument("key_id")
@database_option
@json_option
def revoke(*, key_id: str, data_dir: Path | None, as_json: bool) -> None:
    """Make the key KEY_ID stop working, within a second and for good."""
    with open_database(data_dir) as connection:
        key = store.revoke(connection, key_id)
    if key is None:
        raise KeysError(f"There is no key {key_id!r}; {again('crossfade keys list')} shows the ids.")
    say(_as_dict(key), f"{key.prefix} ({key.name}) no longer works.", as_json=as_json)


def _as_dict(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "env": key.env,
        "account_id": key.account_id,
        "scopes": key.scopes,
        "rate_limit": key.rate_limit,
        "send_rate_limit": key.send_rate_limit,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
        "state": _state(key),
    }


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.has_expired(datetime.now(UTC)) else "active"


COLUMNS = (
    Column("id", "id"),
    Column("name", "name"),
    Column("scopes", lambda key: " ".join(key.scopes)),
    Column("requests/min", lambda key: key.rate_limit or "default", right=True),
    Column("sends/min", lambda key: key.send_rate_limit or "default", right=True),
    Column("last used", lambda key: key.last_used_at or "never"),
    Column("expires", lambda key: key.expires_at or "never"),
    Column("state", _state),
)
