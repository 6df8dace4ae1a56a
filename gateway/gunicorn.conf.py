# ruff: noqa: N999 the name is gunicorn's
"""Configuration of gunicorn, read from the environment once, in the master.

A bad variable ends it with one sentence.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import gunicorn.util  # type: ignore[import-untyped]
import structlog
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from gateway.fairness import places
from gateway.process import metrics_files
from gateway.process.flag_check import check_flag_provider
from gateway.process.refusals import write_problem
from gateway.process.worker import Worker
from gateway.settings import Settings
from realtime_bridge.network.bind_addresses import Address, check_addresses
from realtime_bridge.shared.environment import ConfigurationError, misspelt
from realtime_bridge.shared.logging import configure_logging


class Log(Logger):  # type: ignore[misc]
    """With a configuration of its own gunicorn writes access lines as well, to nobody: the first gate's are better."""

    access_log_enabled = False


ORPHANS_S = 3.0  # workers of a killed master notice within one, and go on listening until then

try:
    settings = Settings.from_env(os.environ)
    check_flag_provider(settings)
except ConfigurationError as error:
    sys.exit(str(error))

configure_logging("gateway", settings.log_level, settings.log_format)
for sentence in misspelt(os.environ):
    structlog.get_logger(__name__).warning(sentence)

addresses = [Address(settings.host, settings.port, "CROSSFADE_GATEWAY_PORT")]
if settings.metrics_port is not None:
    addresses.append(Address(settings.metrics_host, settings.metrics_port, "CROSSFADE_METRICS_PORT"))
fds = settings.listen_fds
bind = [f"fd://{fds[one.port]}" if one.port in fds else f"{one.host}:{one.port}" for one in addresses]
workers = settings.workers
worker_class = "gateway.process.worker.Worker"
Worker.patience_s = settings.request_timeout_s
threads = places.threads(settings.threads, settings.max_waiters)
worker_connections = 1_000 + threads
preload_app = False  # pools and threads belong to the worker that made them
timeout = 30  # a worker whose main thread is silent for so long is replaced
graceful_timeout = 10  # longer than any statement may take; then open requests are cut
keepalive = 30  # seconds; load balancers reuse connections, and a thread is not held meanwhile
limit_request_line = 8190
errorlog = None  # what gunicorn itself says comes as structured lines
logger_class = Log
logconfig_dict = {"incremental": True, "root": {}, "handlers": {}, "loggers": {"gunicorn.error": {"propagate": True}}}
proc_name = "crossfade-gateway"
control_socket_disable = True  # it would listen at one path for all gateways of a machine

# Workers share their figures through files of their own run. Set before a worker imports the metrics.
metrics_files.remove_left_behind(Path(tempfile.gettempdir()))
metrics_dir = metrics_files.make_directory(Path(tempfile.gettempdir()))
os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics_dir

gunicorn.util.write_error = write_problem  # what gunicorn itself refuses is answered like everything else


def on_starting(_server: Any) -> None:
    """Before the first attempt to listen; not where sockets were inherited, from an upgrade or from systemd."""
    if "GUNICORN_PID" in os.environ or "LISTEN_PID" in os.environ:
        return
    try:
        check_addresses(addresses, fds, patience_s=ORPHANS_S)
    except ConfigurationError as error:
        shutil.rmtree(metrics_dir, ignore_errors=True)
        sys.exit(str(error))


def post_worker_init(worker: Any) -> None:
    from gateway.process.runtime import Runtime

    Runtime.of(worker.wsgi).start(is_leaving=lambda: not worker.alive)


def worker_exit(_server: Any, worker: Any) -> None:
    from gateway.process.runtime import Runtime

    if worker.wsgi is not None:
        Runtime.of(worker.wsgi).stop()


def child_exit(_server: Any, worker: Any) -> None:
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    shutil.rmtree(metrics_dir, ignore_errors=True)
