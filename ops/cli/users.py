"""`crossfade users`: make, allow and forbid users; end sockets and tokens."""

import json
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from uuid import UUID

import click

from gateway.database import Connection
from gateway.domain.accounts import UserScope
from gateway.store import users as store
from ops.cli.answers import answers
from ops.cli.auth_admin import AuthAdmin, AuthAdminError
from ops.cli.options import again, auth_admin
from ops.errors import NoAccount, OpsError
from ops.terminal.output import Answer, count, moment

CONVERSATIONS_AT_ONCE = 100  # locked together, for some milliseconds
EMAIL = re.compile(r"[^@\s]+@[^@\s]+")

NOT_ASKED = "Every account may name everybody: what the list says is kept, and counts after `users scope listed`."

names_argument = click.argument("names", nargs=-1, required=True, metavar="USER...")
account_option = click.option("--account", "account_id", type=click.UUID, required=True, help="The account's own user.")


@click.group()
def users() -> None:
    """Make users, and say which of them an account may name.

    A key opens one account. Its holder may let users take part in conversations, and ask for their realtime sessions,
    only when the project says that they belong to the account: by `chat_accounts` in the user's `app_metadata`, which
    these commands write and a backend of yours may write, too. USER is an id or an e-mail address. After
    `users scope everybody` nobody is asked, and every account may name every user.
    """


@users.command()
@click.argument("emails", nargs=-1, required=True, metavar="EMAIL...")
@click.option("--account", "account_id", type=click.UUID, help="Let this account name them, too.")
@click.option("--password-stdin", is_flag=True, help="Give them the password that is the first line of stdin.")
@answers
def create(*, emails: tuple[str, ...], account_id: UUID | None, password_stdin: bool, as_json: bool) -> Answer:
    """Make users of the project, confirmed, through its Auth API.

    Works on the stack that `up` runs, or with SUPABASE_URL and SUPABASE_SECRET_KEY on any project. Without a password
    they sign in by whatever else the project offers, such as a magic link; on the stack of `up` that is nothing.
    """
    if wrong := [email for email in emails if not EMAIL.fullmatch(email)]:
        raise click.UsageError(f"{wrong[0]!r} is not an e-mail address.")
    admin = auth_admin()
    if account_id is not None and not admin.has_user(account_id):
        raise NoAccount(account_id, " Nobody was created.")
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    if password_stdin and not password:
        raise click.UsageError("There is no password on stdin.")
    accounts = [account_id] if account_id else []
    created = []
    for email in emails:
        try:
            created.append(admin.create_user(email, password=password, accounts=accounts))
        except AuthAdminError as error:
            raise _with_advice(error, email, account_id) from error
        if not as_json:
            named = f", and account {account_id} may name it" if account_id else ""
            click.echo(f"Created {created[-1].id} ({created[-1].email}){named}.")
    document = {"account_id": account_id, "users": created, "sign_in_url": admin.sign_in_url if password else None}
    return Answer(document, *_ways_in(admin, created[0].email if password else None))


@users.command()
@names_argument
@account_option
@answers
def allow(connection: Connection, *, names: tuple[str, ...], account_id: UUID) -> Answer:
    """Let the account name these users."""
    _check_account(connection, account_id)
    with connection.transaction():
        found = store.allow_users(connection, account_id, names)
        _check_found(names, found, "There is no user", f" {again('crossfade users create')} makes users.")
    return _shown(connection, account_id, found, "may name")


@users.command()
@names_argument
@account_option
@answers
def forbid(connection: Connection, *, names: tuple[str, ...], account_id: UUID) -> Answer:
    """Take it back, and end what they had in the account.

    They take part in its conversations no longer (each is told, as when a participant is removed), get no realtime
    session, and read nothing of it with the tokens that they have. Their legacy sockets are closed, and come back
    without it. What they are in other accounts stays; `users evict` ends their tokens, too.
    """
    _check_account(connection, account_id)
    with connection.transaction():
        found = store.forbid_users(connection, account_id, names)
        _check_found(names, found, f"Account {account_id} has nothing to do with")
    left = {user.id: _end(connection, account_id, user.id) for user in found}
    return _shown(connection, account_id, found, "may no longer name", left)


@users.command()
@names_argument
@answers
def evict(connection: Connection, *, names: tuple[str, ...]) -> Answer:
    """End the legacy sockets and the tokens of users, in all accounts.

    Bridges close their sockets within a second or two, and what was signed until now opens neither a legacy socket nor
    anything that the policies guard. A Supabase channel that is joined already goes on until its token ends; the answer
    says when. New tokens count: take the users' access away first (`users forbid`, or ban them in Supabase Auth), or
    they simply sign in again.
    """
    with connection.transaction():
        found = store.find_users(connection, names)
        _check_found(names, found, "There is no user")
        ends = {user.id: store.find_session_end(connection, user.id) for user in found}
        for user in found:
            store.evict_user(connection, user.id)
    lines = []
    for user in found:
        end = ends[user.id]
        until = f"until {moment(end)}" if end else "until that token ends (Supabase's own: an hour)"
        lines.append(f"Evicted {_named(user)}: legacy sockets are closed, tokens until now open nothing.")
        lines.append(f"  A Supabase channel joined before goes on {until}; nobody but Supabase can close it sooner.")
    return Answer({"evicted": [asdict(user) | {"channels_until": ends[user.id]} for user in found]}, *lines)


@users.command("list")
@account_option
@answers
def list_users(connection: Connection, *, account_id: UUID) -> Answer:
    """Show whom the account may name."""
    _check_account(connection, account_id)
    return _shown(connection, account_id, store.list_users(connection, account_id), "may name")


@users.command("scope")
@click.argument("scope", required=False, type=click.Choice([scope.value for scope in UserScope]))
@answers
def set_scope(connection: Connection, *, scope: str | None) -> Answer:
    """Show or say whom accounts may name: listed users, or everybody."""
    if scope is not None:
        store.set_scope(connection, UserScope(scope))
    now = store.get_scope(connection)
    whom = "every user of the project" if now is UserScope.EVERYBODY else "the users that are listed for it"
    return Answer({"account_users": now}, f"An account may name {whom}.")


def _ways_in(admin: AuthAdmin, email: str | None) -> list[str]:
    """Say how somebody signs in: with the password that was given, or without one."""
    backend = "A backend with a key of the scope realtime:session gets a token for the chat: POST /realtime/sessions."
    if email is None:
        return ["There is no password to sign in with; --password-stdin gives one to users who are made.", backend]
    headers = ("-H", f"apikey: {admin.public_key or 'PUBLISHABLE_KEY'}", "-H", "Content-Type: application/json")
    body = json.dumps({"email": email, "password": "…"}, ensure_ascii=False)
    return [
        "To sign in, with the password:",
        f"  {shlex.join(['curl', admin.sign_in_url, *headers, '-d', body])}",
        backend,
    ]


def _with_advice(error: AuthAdminError, email: str, account_id: UUID | None) -> OpsError:
    """Whoever makes a user that is there wants an account to name it."""
    if not error.is_there:
        return error
    allow = again(f"crossfade users allow {shlex.quote(email)} --account {account_id or 'UUID'}")
    return OpsError(f"{error}. `{allow}` lets the account name it.")


def _end(connection: Connection, account_id: UUID, user_id: UUID) -> int:
    """Take a user out of the account's conversations, some at a time, and close their sockets; return how many."""
    left = 0
    while ended := store.end_membership(connection, account_id, user_id, CONVERSATIONS_AT_ONCE):
        left += ended
    with connection.transaction():
        store.close_sockets(connection, account_id, user_id)
    return left


def _check_account(connection: Connection, account_id: UUID) -> None:
    if not store.is_account(connection, account_id):
        raise NoAccount(account_id)


def _check_found(names: Sequence[str], found: Sequence[store.User], sentence: str, hint: str = "") -> None:
    known = {str(user.id) for user in found} | {user.email.lower() for user in found if user.email}
    missing = [name for name in names if name.lower() not in known]
    if missing:
        raise OpsError(f"{sentence} {', '.join(missing)}; nothing was changed.{hint}")


def _shown(
    connection: Connection,
    account_id: UUID,
    found: Sequence[store.User],
    verb: str,
    left: Mapping[UUID, int] | None = None,
) -> Answer:
    """Say what the list says now, and whether it is asked."""
    scope = store.get_scope(connection)
    lines = [] if found else [f"Account {account_id} {verb} nobody but its own user."]
    for user in found:
        lines.append(f"Account {account_id} {verb} {_named(user)}.")
        if left is not None:
            conversations = count(left[user.id], "conversation", "conversations")
            lines.append(f"  Taken out of {conversations}; legacy sockets are closed within seconds.")
    if scope is UserScope.EVERYBODY:
        lines.append(NOT_ASKED)
    people = [asdict(user) | ({"conversations_left": left[user.id]} if left else {}) for user in found]
    return Answer({"account_id": account_id, "account_users": scope, "users": people}, *lines)


def _named(user: store.User) -> str:
    return f"{user.id} ({user.email})" if user.email else str(user.id)
