"""All channels that the bridge sits in, spread over as many connections as they need. Started by `__main__`."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from realtime_bridge.channels.connection import CHANNELS, Connection, OnPeople, Receive, Seat

CHECK_S = 0.1


class Seats:
    """`take` and `leave` return at once; `run` does the work until cancelled. A full connection gets a neighbour."""

    def __init__(
        self, *, supabase_url: str, secret_key: str, token: Callable[[], str], per_connection: int = CHANNELS
    ) -> None:
        self._url = f"{supabase_url.rstrip('/')}/realtime/v1"
        self._key = secret_key
        self._token = token
        self._per_connection = per_connection
        self._connections: list[Connection] = []
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._of_topic: dict[str, Connection] = {}

    @property
    def count(self) -> int:
        return len(self._of_topic)

    @property
    def connection_count(self) -> int:
        """Sockets that are open now."""
        return sum(connection.is_connected for connection in self._connections)

    def take(self, topic: str, receive: Receive, on_people: OnPeople | None = None) -> None:
        """Want to be in `topic`; what is sent there is handed to `receive` once the channel is joined."""
        if topic in self._of_topic:
            return
        free = (connection for connection in self._connections if len(connection.seats) < self._per_connection)
        connection = next(free, None)
        if connection is None:
            connection = Connection(url=self._url, key=self._key, token=self._token)
            self._connections.append(connection)
        connection.seats[topic] = Seat(topic=topic, receive=receive, on_people=on_people)
        self._of_topic[topic] = connection

    def leave(self, topic: str) -> None:
        """No longer want to be there; a connection that is empty is closed."""
        connection = self._of_topic.pop(topic, None)
        if connection is not None:
            del connection.seats[topic]
            if not connection.seats:
                self._connections.remove(connection)

    def is_joined(self, topic: str) -> bool:
        connection = self._of_topic.get(topic)
        return connection is not None and connection.seats[topic].is_joined

    async def send(self, topic: str, event: str, payload: Mapping[str, Any]) -> bool:
        """Broadcast to a channel; False when it is not joined."""
        connection = self._of_topic.get(topic)
        return await connection.send(topic, event, payload) if connection else False

    async def track(self, topic: str, state: Mapping[str, Any]) -> bool:
        """Set what the bridge tracks in a channel's presence; False when it is not joined."""
        connection = self._of_topic.get(topic)
        return await connection.track(topic, state) if connection else False

    async def run(self) -> None:
        try:
            while True:
                self.run_once()
                await asyncio.sleep(CHECK_S)
        finally:
            await _end(list(self._tasks.values()))

    def run_once(self) -> int:
        """Start what was added and end what is empty; return how many connections there are."""
        wanted = {id(connection): connection for connection in self._connections}
        for key, connection in wanted.items():
            if key not in self._tasks:
                self._tasks[key] = asyncio.create_task(connection.run())
        for key in [key for key in self._tasks if key not in wanted]:
            self._tasks.pop(key).cancel()
        return len(wanted)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
