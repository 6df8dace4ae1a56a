"""Seats of the bridge, over as many connections as they need."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from realtime_bridge.supabase.connection import CHANNELS, Connection
from realtime_bridge.supabase.seat import Limits, OnPeople, Receive, Seat

CHECK_S = 0.1


class Seats:
    """`take` and `leave` return at once; `run` does the work until cancelled. A full connection gets a neighbour.

    A channel may be taken once for each presence key: a socket joins a channel once, so each is on another connection.
    """

    def __init__(
        self, *, supabase_url: str, secret_key: str, token: Callable[[], str], per_connection: int = CHANNELS
    ) -> None:
        self._url = f"{supabase_url}/realtime/v1"
        self._key = secret_key
        self._token = token
        self._per_connection = per_connection
        self._limits = Limits()
        self._connections: list[Connection] = []
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._of: dict[tuple[str, str], Connection] = {}

    @property
    def count(self) -> int:
        return len(self._of)

    @property
    def connection_count(self) -> int:
        """Sockets that are open now."""
        return sum(connection.is_connected for connection in self._connections)

    def take(self, topic: str, receive: Receive, on_people: OnPeople | None = None) -> None:
        """Want to be in `topic`; what is sent there is handed to `receive` once the channel is joined."""
        self._take(Seat(topic=topic, receive=receive, on_people=on_people))

    def stand_in(self, topic: str, key: str, state: Mapping[str, Any]) -> None:
        """Want to be shown in the channel's presence under `key` with `state`, beside other seats there."""
        if (topic, key) in self._of:
            self._of[topic, key].seats[topic].state = state
        else:
            self._take(Seat(topic=topic, receive=_nothing, key=key, state=state))

    def leave(self, topic: str, key: str = "") -> None:
        """No longer want to be there; a connection that is empty is closed."""
        connection = self._of.pop((topic, key), None)
        if connection is not None:
            del connection.seats[topic]
            if not connection.seats:
                self._connections.remove(connection)

    def is_joined(self, topic: str, key: str = "") -> bool:
        connection = self._of.get((topic, key))
        return connection is not None and connection.seats[topic].is_joined

    async def send(self, topic: str, event: str, payload: Mapping[str, Any]) -> bool:
        """Broadcast to a channel; False when it is not joined."""
        connection = self._of.get((topic, ""))
        return await connection.send(topic, event, payload) if connection else False

    async def run(self) -> None:
        try:
            while True:
                self.run_once()
                await asyncio.sleep(CHECK_S)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def run_once(self) -> int:
        """Start what was added and end what is empty; return how many connections there are."""
        wanted = {id(connection): connection for connection in self._connections}
        for key, connection in wanted.items():
            if key not in self._tasks:
                self._tasks[key] = asyncio.create_task(connection.run())
        for key in [key for key in self._tasks if key not in wanted]:
            self._tasks.pop(key).cancel()
        return len(wanted)

    def _take(self, seat: Seat) -> None:
        if (seat.topic, seat.key) in self._of:
            return
        connection = next((connection for connection in self._connections if self._has_room(connection, seat)), None)
        if connection is None:
            connection = Connection(url=self._url, key=self._key, token=self._token, limits=self._limits)
            self._connections.append(connection)
        connection.seats[seat.topic] = seat
        self._of[seat.topic, seat.key] = connection

    def _has_room(self, connection: Connection, seat: Seat) -> bool:
        return len(connection.seats) < self._per_connection and seat.topic not in connection.seats


def _nothing(_event: str, _payload: Mapping[str, Any]) -> None:
    """Another seat of the bridge hears what is said there."""
