"""`python -m ops.local_supabase`: the endpoint as a process. Started by `up` and by `crossfade supabase start`."""

import asyncio
import json
import os
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path

import click
import structlog

from ops.local_supabase.endpoint import Endpoint
from ops.local_supabase.options import behaviour_options
from ops.local_supabase.settings import Limits, Settings, Timings
from ops.machine.private_files import write_private
from realtime_bridge.shared.environment import ConfigurationError, Environment
from realtime_bridge.shared.logging import configure_logging

_log = structlog.get_logger(__name__)


@click.command(context_settings={"show_default": True})
@click.option("--port", default=54321, type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.")
@click.option("--fd", type=int, help="Descriptor of a socket that listens already, in place of host and port.")
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option(
    "--database-url", required=True, envvar="LOCAL_SUPABASE_DATABASE_URL", help="Superuser URL of the database."
)
@click.option("--ready-file", type=click.Path(path_type=Path), help="Gets {url, port} as JSON once the endpoint is up.")
@behaviour_options
@click.option("--private-only", is_flag=True, help="Refuse public channels, as a project without public access does.")
@click.option("--quick-refusals", is_flag=True, help="Refuse at once, not after the real 2 s and 5 s: for test runs.")
def main(
    *,
    port: int,
    fd: int | None,
    host: str,
    database_url: str,
    ready_file: Path | None,
    plan: str,
    slot_delay_s: float,
    private_only: bool,
    quick_refusals: bool,
) -> None:
    """Serve Supabase Realtime on a local port."""
    env = Environment(os.environ)
    try:
        configure_logging("supabase", env.log_level(), env.log_format())
        settings = Settings.from_environment(os.environ, database_url=database_url, host=host, port=port)
    except ConfigurationError as error:
        sys.exit(str(error))
    timings = Timings(replication_delay_s=slot_delay_s)
    if quick_refusals:
        timings = replace(timings, connect_error_backoff_s=0, channel_error_backoff_s=0)
    settings = replace(settings, limits=Limits.of_plan(plan), timings=timings, private_only=private_only)
    sys.exit(asyncio.run(_serve(settings, fd, ready_file)))


async def _serve(settings: Settings, fd: int | None, ready_file: Path | None) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    endpoint = Endpoint(settings, None if fd is None else socket.socket(fileno=fd))
    try:
        await endpoint.start()
    except OSError as error:
        _log.error("not_started", reason=f"Port {settings.port} cannot be used: {error.strerror or error}")
        return 1
    except TimeoutError:
        _log.error("not_started", reason="The database did not offer a replication stream in time; is it shaped?")
        return 1
    facts = {"event": "ready", "process": "supabase", "url": endpoint.url, "port": endpoint.port}
    print(json.dumps(facts), flush=True)
    if ready_file is not None:
        write_private(ready_file, json.dumps({"url": endpoint.url, "port": endpoint.port}))
    await stop.wait()
    _log.info("stopping", sockets=len(endpoint.project.sockets))
    await endpoint.stop()
    return 0


if __name__ == "__main__":
    main()
