"""Whether the dial turns anything: do all bridges follow it? Asked before it goes forward, and by the status."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

from realtime_bridge import reports
from realtime_bridge.reports import BridgeState
from realtime_bridge.rollout import judging
from realtime_bridge.rollout.errors import NobodyFollows

ROLLOUT = "rollout"
SET = "CHAT_REALTIME_PROVIDER=rollout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """The living bridges; `has_keeper`: one of them judges (also one of a version that does not report)."""

    bridges: Sequence[BridgeState]
    has_keeper: bool

    @property
    def pinned(self) -> list[BridgeState]:
        return [bridge for bridge in self.bridges if bridge.provider != ROLLOUT]

    @property
    def is_followed(self) -> bool:
        return self.has_keeper or len(self.pinned) < len(self.bridges)

    @property
    def complaint(self) -> str | None:
        """Say what is wrong, in a sentence; None when turning the dial does what it says."""
        providers = ", ".join(sorted({bridge.provider for bridge in self.pinned}))
        if self.pinned and self.is_followed:
            names = ", ".join(bridge.bridge for bridge in self.pinned)
            return f"{names} does not follow the dial (CHAT_REALTIME_PROVIDER={providers}): restart it with {SET}."
        if self.pinned:
            return f"No bridge follows the dial: CHAT_REALTIME_PROVIDER={providers} pins them. Restart them with {SET}."
        if not self.is_followed:
            return f"No bridge follows the dial, for none is running: start one with {SET} (python -m realtime_bridge)."
        return None


async def read(connection: AsyncConnection[Any], flag: str) -> Following:
    keeper = await judging.find_keeper(connection, flag)
    return Following(bridges=await reports.list_bridges(connection), has_keeper=keeper is not None)


async def check(connection: AsyncConnection[Any], flag: str) -> None:
    """Raise NobodyFollows where a change would not do what it says."""
    complaint = (await read(connection, flag)).complaint
    if complaint:
        raise NobodyFollows(f"{complaint} Nothing was changed; --force turns it all the same.")
