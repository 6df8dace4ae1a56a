"""`crossfade webhooks listen`: events, signed, for a receiver on this machine. Stores nothing."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import requests
import urllib3.exceptions

from gateway.database import Connection
from gateway.shapes import catalogue
from ops.cli.answers import answers
from ops.cli.options import open_database, stack_dir
from ops.cli.webhooks.sources import ApiSource, Carried, find_newest, is_http, read_log
from ops.errors import OpsError
from ops.machine.private_files import write_private
from ops.terminal.output import Answer
from realtime_bridge.shared import sql
from realtime_bridge.webhooks.contract import signing

_QUERIES = sql.Queries(__file__)
SECRET_VARIABLE = "CROSSFADE_LISTEN_SECRET"  # noqa: S105 a name, not a secret
SECRET_FILE = "webhooks-listen-secret"  # noqa: S105 a name, not a secret; beside what `up` keeps
POST_TIMEOUT_S = 15.0  # as in earnest


@click.command(short_help="Forward events to a receiver on this machine, signed.")
@click.option(
    "--forward-to", "target", required=True, help="Where your receiver listens, say http://127.0.0.1:3000/hooks."
)
@click.option("--api-url", help="Ask this gateway by long poll; with --api-key, no database is needed.")
@click.option("--api-key", help="A key with chat:read, for --api-url.")
@click.option("--account", "account_id", type=click.UUID, help="Whose events.  [default: the demo account's]")
@click.option("--type", "patterns", multiple=True, default=["*"], show_default=True, help="A type, family.* or *.")
@click.option("--secret", envvar=SECRET_VARIABLE, help=f"Sign with this (or {SECRET_VARIABLE}).  [default: kept here]")
@click.option("--after", type=click.IntRange(0), help="Begin after this seq of the log.  [default: now]")
@click.option("--count", type=click.IntRange(1), help="Stop after so many events.")
@answers
def listen(
    *,
    target: str,
    api_url: str | None,
    api_key: str | None,
    account_id: UUID | None,
    patterns: tuple[str, ...],
    secret: str | None,
    after: int | None,
    count: int | None,
    as_json: bool,
) -> None:
    """Forward events to a receiver on this machine, signed as webhooks are; no public URL is needed.

    Takes events from now on, from the API or from the database, and posts each as it comes, until Ctrl-C. Nothing is
    stored: what your receiver refuses is shown and not tried again. The secret is made once and kept in the data
    directory, so your receiver's settings hold over runs; delete the file for another one.
    """
    if unknown := [word for word in patterns if word not in catalogue.PATTERNS]:
        raise click.UsageError(f"{unknown[0]!r} is not an event type; there are {', '.join(catalogue.SUBSCRIBABLE)}.")
    for url in filter(None, (target, api_url)):
        if not is_http(url):
            raise click.UsageError(f"{url!r} is not an http:// or https:// URL.")
    if bool(api_url) != bool(api_key):
        raise click.UsageError("Give --api-url and --api-key together.")
    chosen = _checked(secret) or kept_secret(stack_dir())
    with ExitStack() as stack:
        if api_url and api_key:
            source = ApiSource(api_url, api_key, patterns, say=lambda sentence: click.echo(sentence, err=True))
            events = source.events()
        else:
            connection = stack.enter_context(open_database())
            account = account_id or _demo_account(connection)
            events = read_log(connection, account, patterns, find_newest(connection) if after is None else after)
        listener = Listener(events, target=target, secret=chosen)
        if not as_json:
            click.echo(f"Events go to {target}. Verify them with {chosen}", err=True)
        for shown in listener.forward(count):
            Answer(shown, Listener.line(shown)).tell(as_json=as_json)


def _checked(secret: str | None) -> str | None:
    if secret is not None:
        try:
            signing.key_of(secret)
        except signing.MalformedSecret as error:
            raise click.UsageError(str(error)) from None
    return secret


def _demo_account(connection: Connection) -> UUID:
    account_id: UUID | None = _QUERIES.find_value(connection, "owner_of_demo")
    if account_id is None:
        raise OpsError("Say whose events: --account UUID, or --api-url and --api-key.")
    return account_id


def kept_secret(data_dir: Path) -> str:
    """Return the secret that listeners of this machine sign with: made once, kept for its owner only."""
    file = data_dir / SECRET_FILE
    with suppress(FileNotFoundError):
        secret = file.read_text(encoding="utf-8").strip()
        try:
            signing.key_of(secret)
        except signing.MalformedSecret as error:
            raise OpsError(f"{file}: {error} Delete the file for a new secret.") from None
        return secret
    data_dir.mkdir(parents=True, exist_ok=True)
    secret = signing.new_secret()
    write_private(file, f"{secret}\n")
    return secret


class Listener:
    """Forwards events one at a time, in their order."""

    def __init__(self, events: Iterator[Carried], *, target: str, secret: str) -> None:
        self._events = events
        self._target = target
        self._keys = [signing.key_of(secret)]
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy has no business between two programs of one machine

    def forward(self, count: int | None) -> Iterator[dict[str, Any]]:
        """Yield what became of each event, until `count` were sent."""
        for sent, event in enumerate(self._events, 1):
            yield self._post(event)
            if sent == count:
                return

    @staticmethod
    def line(shown: dict[str, Any]) -> str:
        return f"{shown['seq'] or '':>8}  {shown['type']:<22} {shown['eventId']}  {shown['status'] or shown['error']}"

    def _post(self, event: Carried) -> dict[str, Any]:
        now = int(time.time())
        headers = {
            "Content-Type": "application/json",
            signing.ID_HEADER: event.event_id,
            signing.TIMESTAMP_HEADER: str(now),
            signing.SIGNATURE_HEADER: signing.sign(self._keys, event.event_id, now, event.body),
        }
        shown = {"seq": event.seq, "type": event.type, "eventId": event.event_id, "status": None, "error": None}
        try:
            answer = self._session.post(
                self._target, data=event.body, headers=headers, timeout=POST_TIMEOUT_S, allow_redirects=False
            )
        except requests.RequestException as error:
            return shown | {"error": self._reason(error)}
        return shown | {"status": answer.status_code}

    def _reason(self, error: requests.RequestException) -> str:
        """Say in words why there is no answer."""
        if isinstance(error, requests.exceptions.SSLError):
            return f"the certificate of {self._target} is not trusted"
        if isinstance(error, requests.Timeout):
            return f"no answer from {self._target} within {POST_TIMEOUT_S:.0f} s"
        if error.args and isinstance(error.args[0], urllib3.exceptions.MaxRetryError):
            return f"nobody answers at {self._target}"
        return f"the connection to {self._target} broke off"
