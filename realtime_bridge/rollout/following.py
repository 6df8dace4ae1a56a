"""Following of the dial by every process: does it turn anything? Asked before it goes forward, and by the status."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

from realtime_bridge.fleet import reports
from realtime_bridge.fleet.reports import ProcessState
from realtime_bridge.rollout.dial.errors import NobodyFollows
from realtime_bridge.rollout.gate import store

ROLLOUT = "rollout"
SET = "CHAT_REALTIME_PROVIDER=rollout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """The living processes; `has_keeper`: a bridge judges (also one of a version that does not report)."""

    processes: Sequence[ProcessState]
    has_keeper: bool

    @property
    def bridges(self) -> list[ProcessState]:
        return [process for process in self.processes if not process.is_gateway]

    @property
    def is_followed(self) -> bool:
        return self.has_keeper or any(bridge.provider == ROLLOUT for bridge in self.bridges)

    @property
    def complaint(self) -> str | None:
        """Say what is wrong, in a sentence; None when turning the dial does what it says."""
        pinned = [process for process in self.processes if process.provider != ROLLOUT]
        providers = ", ".join(sorted({process.provider for process in pinned}))
        if not self.is_followed and not self.bridges:
            return f"No bridge follows the dial, for none is running: start one with {SET} (python -m realtime_bridge)."
        if not self.is_followed:
            return f"No bridge follows the dial: CHAT_REALTIME_PROVIDER={providers} pins them. Restart them with {SET}."
        if pinned:
            names = ", ".join(process.bridge for process in pinned)
            do = "do" if len(pinned) > 1 else "does"
            return f"{names} {do} not follow the dial (CHAT_REALTIME_PROVIDER={providers}): restart with {SET}."
        return None


async def read(connection: AsyncConnection[Any], flag: str) -> Following:
    has_keeper = await store.has_keeper(connection, flag)
    return Following(processes=await reports.list_processes(connection), has_keeper=has_keeper)


async def check(connection: AsyncConnection[Any], flag: str) -> None:
    """Raise NobodyFollows where a change would not do what it says."""
    complaint = (await read(connection, flag)).complaint
    if complaint:
        raise NobodyFollows(f"{complaint} Nothing was changed; --force turns it all the same.")
