"""Official sockets for tests to talk through: socket.io-client's in one process, python-socketio's in another."""

import itertools
import sys
from typing import Any, Self
from uuid import UUID

from tests.clients.node import HERE, Line, NodeScript, Script
from tests.integration.legacy.harness import token

_names = itertools.count(1)
_acks = itertools.count(1)


class Clients(NodeScript):
    """Opens sockets by name; a socket's lines are its own."""

    def __init__(self) -> None:
        super().__init__("legacy/driver.mjs")
        self.wait_for(lambda line: line["is"] == "ready")

    def open(self, url: str, auth: dict[str, Any] | None = None, *, version: int = 4, **options: Any) -> "Client":
        """Open a socket of a major version of socket.io-client, which prints an `error` of version 2 as one."""
        client = Client(self, f"socket-{next(_names)}")
        self.send(do="open", socket=client.name, url=url, options={"auth": auth or {}, **options}, version=version)
        return client

    def open_old(
        self, url: str, user_id: UUID, *conversations: int, only: str | None = None, **options: Any
    ) -> "Client":
        """Open a socket that subscribes plainly, without asking for an answer, whenever it is connected.

        With `only`, nothing is printed of other events.
        """
        client = Client(self, f"socket-{next(_names)}")
        subscribe = [str(conversation) for conversation in conversations]
        values = {"auth": {"token": token(user_id)}, **options}
        told = {"only": only} if only else {}
        self.send(do="open", socket=client.name, url=url, options=values, subscribe=subscribe, **told)
        client.wait("connect")
        return client

    def open_mute(self, url: str, user_id: UUID) -> "Client":
        """Open a socket of whose events nothing is printed."""
        client = Client(self, f"socket-{next(_names)}")
        self.send(do="open", socket=client.name, url=url, options={"auth": {"token": token(user_id)}}, mute=True)
        client.wait("connect")
        return client

    def connect(self, url: str, user_id: UUID, **options: Any) -> "Client":
        client = self.open(url, {"token": token(user_id)}, **options)
        client.wait("connect")
        return client

    def __enter__(self) -> Self:
        return self


class PythonClients(Script):
    """The same for python-socketio, whose sockets listen only."""

    def __init__(self) -> None:
        super().__init__(sys.executable, str(HERE / "legacy/driver.py"))
        self.wait_for(lambda line: line["is"] == "ready")

    def open_old(self, url: str, user_id: UUID, *conversations: int, kind: str, transport: str) -> "Client":
        """Open a `sync` or `async` client that subscribes plainly whenever it is connected."""
        client = Client(self, f"{kind}-{transport}-{next(_names)}")
        values = {"auth": {"token": token(user_id)}, "subscribe": [str(conversation) for conversation in conversations]}
        self.send(do="open", socket=client.name, url=url, kind=kind, transport=transport, **values)
        client.wait("connect")
        return client

    def __enter__(self) -> Self:
        return self


class Client:
    def __init__(self, clients: Script, name: str) -> None:
        self.name = name
        self._clients = clients

    @property
    def lines(self) -> list[Line]:
        self._clients.read_available()
        return [line for line in self._clients.lines if line["socket"] == self.name]

    def received(self, event: str) -> list[Any]:
        return [line["args"][0] for line in self.lines if line["is"] == "event" and line["event"] == event]

    def count(self, what: str) -> int:
        return sum(line["is"] == what for line in self.lines)

    def wait(self, what: str, times: int = 1, timeout_s: float = 20.0) -> Line:
        """Return the socket's `times`-th line of this kind, waiting for it if need be."""
        return self._wait([line for line in self.lines if line["is"] == what], times, timeout_s, {"is": what})

    def wait_event(self, event: str, times: int = 1, timeout_s: float = 20.0) -> Any:
        wanted = {"is": "event", "event": event}
        seen = [line for line in self.lines if line["is"] == "event" and line["event"] == event]
        return self._wait(seen, times, timeout_s, wanted)["args"][0]

    def ask(self, event: str, *arguments: Any) -> Any:
        """Emit and return the acknowledgement."""
        ack = next(_acks)
        self._clients.send(do="emit", socket=self.name, event=event, args=arguments, ack=ack)
        return self._clients.wait_for(lambda line: line.get("ack") == ack)["args"][0]

    def tell(self, event: str, *arguments: Any) -> None:
        self._clients.send(do="emit", socket=self.name, event=event, args=arguments)

    def storm(self, event: str, *arguments: Any) -> None:
        """Emit, and again with every answer."""
        self._clients.send(do="storm", socket=self.name, event=event, args=arguments)

    def subscribe(self, conversation_id: int, after_seq: int | None = None) -> Any:
        options = [] if after_seq is None else [{"afterSeq": after_seq}]
        return self.ask("subscribe:conversation", str(conversation_id), *options)

    def cut(self) -> None:
        self._clients.send(do="cut", socket=self.name)

    def close(self) -> None:
        self._clients.send(do="close", socket=self.name)
        self.wait("disconnect")

    def _wait(self, seen: list[Line], times: int, timeout_s: float, wanted: dict[str, str]) -> Line:
        def is_wanted(line: Line) -> bool:
            return line["socket"] == self.name and all(line.get(name) == value for name, value in wanted.items())

        while len(seen) < times:
            seen.append(self._clients.wait_for(is_wanted, timeout_s))
        return seen[times - 1]
