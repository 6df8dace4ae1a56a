"""Banner of a ready stack: the first message, in lines to paste."""

import json
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from ops.demo.feeding import Unfed
from ops.embedded.ready import FILE_NAME, Ready
from realtime_bridge.shared.variables import Provider

PROVIDERS = {
    Provider.DUAL: "both sides are fed, clients are told legacy",
    Provider.ROLLOUT: "as the dial says; see {status}",
    Provider.SOCKETIO: "only legacy is fed",
    Provider.SUPABASE: "only Supabase is fed",
}


def curl_line(ready: Ready) -> str:
    """Return the line that sends a message; answers 201."""
    url = f"{ready.gateway_url}/api/v1/chat/conversations/{ready.conversation_id}/messages"
    body = json.dumps({"content": "Hello from curl"})
    return f"curl -i {url} -H 'X-API-Key: {ready.api_key}' -H 'Content-Type: application/json' -d '{body}'"


def show(console: Console, ready: Ready, data_dir: Path, silent: Unfed | None, spell: Callable[[str], str]) -> None:
    """Print the banner. `silent` is a side that gets nothing now; `spell` writes a command as it is typed here."""
    provider = PROVIDERS[Provider(ready.provider)].format(status=spell("crossfade rollout status"))
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold")
    facts.add_column(overflow="fold")
    for name, value in (
        ("API", f"{ready.gateway_url}/api/v1/chat"),
        ("Docs", f"{ready.gateway_url}/docs"),
        ("Bridge", f"{ready.bridge_url} (Socket.IO at /api/ws)"),
        ("Metrics", f"{ready.metrics_url} (gateway)\n{ready.bridge_metrics_url} (bridge)"),
        ("Supabase", ready.supabase_url),
        ("Postgres", ready.database_url),
        ("Redis", ready.redis_url),
        ("Provider", f"{ready.provider}: {provider}"),
        ("API key", ready.api_key),
        ("Conversation", str(ready.conversation_id)),
        ("Logs", str(data_dir / "logs")),
        ("For scripts", str(data_dir / FILE_NAME)),
    ):
        facts.add_row(name, escape(value))
    note = "For development only: the JWT secret is public."
    console.print()
    console.print(Panel(facts, title="Crossfade is ready", subtitle=note, border_style="green", expand=False))
    console.print("\n[bold]Send a message[/] (answers 201):\n")
    # Never wrapped, never marked up: it is there to be pasted.
    console.print(curl_line(ready), markup=False, highlight=False, soft_wrap=True)
    where = f"on {silent.heard}" if silent else "on both sides"
    console.print(f"\n[bold]Watch it arrive {where}[/], in another terminal:\n")
    console.print(spell("crossfade demo --watch"), markup=False, highlight=False, soft_wrap=True)
    if silent:
        console.print()
        console.print(silent.sentence(spell), markup=False, highlight=False, soft_wrap=True)
    console.print("\nCtrl-C stops everything; the data stays for the next time.\n")
