"""Official python-socketio clients, driven by JSON lines on stdin as driver.mjs is; its lines have the same shapes.

In:  {do: "open", socket, kind: "sync"|"async", url, auth, transport, subscribe: [id]} (subscribes on every connect)
"""

import asyncio
import json
import sys
import threading
from typing import Any

import socketio

QUICK = {"reconnection_delay": 0.1, "reconnection_delay_max": 0.5, "randomization_factor": 0}
PATH = "api/ws"
_saying = threading.Lock()


def say(socket: str | None, what: str, **more: Any) -> None:
    with _saying:
        print(json.dumps({"socket": socket, "is": what} | more), flush=True)  # noqa: T201 - the lines are what it is for


def open_sync(command: dict[str, Any]) -> None:
    name, client = command["socket"], socketio.Client(**QUICK)

    def subscribe() -> None:
        for conversation in command["subscribe"]:
            client.emit("subscribe:conversation", conversation)
        say(name, "connect")

    client.on("connect", subscribe)
    client.on("disconnect", lambda reason: say(name, "disconnect", reason=reason))
    client.on("*", lambda event, data: say(name, "event", event=event, args=[data]))
    client.connect(command["url"], auth=command["auth"], socketio_path=PATH, transports=[command["transport"]])


async def open_async(command: dict[str, Any]) -> None:
    name, client = command["socket"], socketio.AsyncClient(**QUICK)

    async def subscribe() -> None:
        for conversation in command["subscribe"]:
            await client.emit("subscribe:conversation", conversation)
        say(name, "connect")

    client.on("connect", subscribe)
    client.on("disconnect", lambda reason: say(name, "disconnect", reason=reason))
    client.on("*", lambda event, data: say(name, "event", event=event, args=[data]))
    await client.connect(command["url"], auth=command["auth"], socketio_path=PATH, transports=[command["transport"]])


async def main() -> None:
    say(None, "ready")
    while line := await asyncio.to_thread(sys.stdin.readline):
        command = json.loads(line)
        if command["kind"] == "sync":
            await asyncio.to_thread(open_sync, command)
        else:
            await open_async(command)


if __name__ == "__main__":
    asyncio.run(main())
