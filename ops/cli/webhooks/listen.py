"""`crossfade webhooks listen`: events for a receiver on this machine."""

from contextlib import ExitStack
from uuid import UUID

import click

from gateway.database import Connection
from gateway.shapes import catalogue
from ops.cli.answers import answers
from ops.cli.options import open_database, stack_dir
from ops.cli.webhooks.listener import Listener, kept_secret
from ops.cli.webhooks.sources import ApiSource, LogSource, Source, is_http
from ops.errors import OpsError
from ops.terminal.output import Answer
from realtime_bridge.shared import sql
from realtime_bridge.webhooks.contract import signing

_QUERIES = sql.Queries(__file__)
SECRET_VARIABLE = "CROSSFADE_LISTEN_SECRET"  # noqa: S105 a name, not a secret


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
    if unknown := [word for word in patterns if not catalogue.is_pattern(word)]:
        raise click.UsageError(f"{unknown[0]!r} is not an event type; there are {', '.join(catalogue.SUBSCRIBABLE)}.")
    for url in filter(None, (target, api_url)):
        if not is_http(url):
            raise click.UsageError(f"{url!r} is not an http:// or https:// URL.")
    if bool(api_url) != bool(api_key):
        raise click.UsageError("Give --api-url and --api-key together.")
    chosen = _checked(secret) or kept_secret(stack_dir())
    with ExitStack() as stack:
        source: Source
        if api_url and api_key:
            source = ApiSource(api_url, api_key, patterns, say=lambda sentence: click.echo(sentence, err=True))
        else:
            connection = stack.enter_context(open_database())
            account = account_id or _demo_account(connection)
            source = LogSource(connection, account_id=account, patterns=patterns, after=after)
        listener = Listener(source, target=target, secret=chosen)
        if not as_json:
            click.echo(f"Events go to {target}. Verify them with {listener.secret}", err=True)
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
