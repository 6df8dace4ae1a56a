"""Facts of a running stack, in DIR/ready.json. Written by `up`, read by `crossfade demo`, tests and scripts."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from pydantic.alias_generators import to_camel

from ops.errors import OpsError
from ops.machine import leftovers
from ops.machine.data_dir import PROCESSES
from ops.machine.private_files import write_private

FILE_NAME = "ready.json"


class NotReady(OpsError):
    """There is no running stack where one was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoUser:
    id: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """`users` are the agent who owns the demo account, then the client; `pids` has gateway, bridge, supabase, …"""

    gateway_url: str
    bridge_url: str
    metrics_url: str
    bridge_metrics_url: str
    supabase_url: str
    database_url: str
    redis_url: str
    api_key: str
    anon_key: str
    service_role_key: str
    jwt_secret: str
    users: tuple[DemoUser, ...]
    conversation_id: int
    pids: dict[str, int]
    provider: str
    """CHAT_REALTIME_PROVIDER of gateway and bridge."""
    key_env: str
    """CROSSFADE_ENV: the word in new keys."""

    def to_json(self) -> str:
        return json.dumps({to_camel(name): value for name, value in asdict(self).items()})

    def write(self, data_dir: Path) -> None:
        write_private(data_dir / FILE_NAME, self.to_json() + "\n")


def read_ready(data_dir: Path) -> Ready:
    """Return the facts of the stack that runs on `data_dir`.

    Raises NotReady with a sentence that says how to start, or OpsError with one that says to start again.
    """
    path = data_dir / FILE_NAME
    if leftovers.is_dead(data_dir / PROCESSES):
        raise NotReady(f"The stack on {data_dir} was killed, and nothing of it is left: start it again with ./ops/up.")
    try:
        raw = json.loads(path.read_text())
    except FileNotFoundError:
        raise NotReady(f"No stack is running on {data_dir}: start one with ./ops/up, or name its --data-dir.") from None
    except (OSError, ValueError) as error:
        raise NotReady(f"{path} cannot be read: {error}") from error
    try:
        facts = {field.name: raw[to_camel(field.name)] for field in fields(Ready)}
        return Ready(**{**facts, "users": tuple(DemoUser(**user) for user in facts["users"])})
    except (KeyError, TypeError) as error:
        missing = f" ({error.args[0]} is missing)" if isinstance(error, KeyError) else ""
        raise OpsError(
            f"{path} was written by another version{missing}: stop that stack and restart ./ops/up."
        ) from error
