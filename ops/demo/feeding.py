"""Sides that get nothing now, and what to type about it. Asked before anybody waits for what cannot come."""

from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from ops.demo.tracker import SideName
from ops.embedded.ready import Ready
from realtime_bridge.rollout import store
from realtime_bridge.rollout.dial.stages import FLAG, StageName
from realtime_bridge.shared.variables import Provider

CONNECT_TIMEOUT_S = 5
NAMES = {SideName.SUPABASE: "Supabase", SideName.SOCKETIO: "Socket.IO"}
ONLY_ONE = {Provider.SOCKETIO: SideName.SUPABASE, Provider.SUPABASE: SideName.SOCKETIO}
RESTART = "CHAT_REALTIME_PROVIDER=dual ./ops/up"
FORWARD = 'crossfade rollout set shadow --why "to see both sides"'
BACK = 'crossfade rollout set 100 --why "to see both sides"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfed:
    """A side that gets nothing, why, and the command that changes it."""

    side: SideName
    why: str
    command: str

    @property
    def heard(self) -> str:
        """The side on which messages arrive."""
        (other,) = (name for side, name in NAMES.items() if side is not self.side)
        return other

    def sentence(self, spell: Callable[[str], str]) -> str:
        """Say it, and what to type: `spell` adds what this person has to write around a command."""
        lead = "Stop the running stack, then type:" if self.command == RESTART else "Type:"
        return f"{NAMES[self.side]} is not fed: {self.why}. {lead} {spell(self.command)}"


async def unfed(ready: Ready) -> Unfed | None:
    """Return the side that is not fed; None while both are."""
    provider = Provider(ready.provider)
    if side := ONLY_ONE.get(provider):
        return Unfed(side=side, why=f"CHAT_REALTIME_PROVIDER is {provider}", command=RESTART)
    if provider is not Provider.ROLLOUT:
        return None
    connecting = psycopg.AsyncConnection.connect(ready.database_url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)
    async with await connecting as connection:
        stage = (await store.get_dial(connection, FLAG)).stage
    if stage.name is StageName.OFF:
        return Unfed(side=SideName.SUPABASE, why="the dial is at off", command=FORWARD)
    if stage.name is StageName.COMPLETE:
        return Unfed(side=SideName.SOCKETIO, why="the dial is at complete", command=BACK)
    return None
