"""A gateway with real workers for those who attack it, and the sockets they attack it with."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row

from ops.machine.postgres import EmbeddedPostgres
from tests.factories import make_key, make_user
from tests.servers.gateway_server import GatewayServer, serve

LIST = "/api/v1/chat/conversations"
JSON = "Content-Type: application/json\r\n"


class Attacked:
    """The gateway, and a bystander: an honest account with a key, which must not notice anything."""

    def __init__(self, server: GatewayServer, connection: psycopg.Connection[DictRow], database_url: str) -> None:
        self.server = server
        self.conn = connection
        self.database_url = database_url
        self.account: UUID = make_user(connection)
        self.key = make_key(connection, self.account)

    def bystander_is_served(self, times: int = 10) -> None:
        """Every request of the bystander, and every probe, is answered within the client's patience of 15 s."""
        for _ in range(times):
            assert self.server.request("GET", LIST, self.key)[0] == 200
            assert self.server.request("GET", "/livez")[0] == 200
        assert self.server.request("GET", "/readyz")[0] == 200

    @contextlib.contextmanager
    def sockets(
        self, count: int, sent: bytes = b"", *, receive_bytes: int | None = None
    ) -> Iterator[list[socket.socket]]:
        """Connections that have said so much and say no more; `receive_bytes` is how little they take unread."""
        with contextlib.ExitStack() as stack:
            made = []
            for _ in range(count):
                client = stack.enter_context(socket.socket())
                client.settimeout(15)
                if receive_bytes is not None:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
                client.connect(("127.0.0.1", self.server.port))
                made.append(client)
                made[-1].sendall(sent)
            yield made


@contextlib.contextmanager
def attacked(
    directory: Path, postgres: EmbeddedPostgres, template: str, redis_url: str, **variables: str
) -> Iterator[Attacked]:
    """Serve a database of its own, emptied by being thrown away."""
    name = f"attacked_{uuid4().hex}"
    with psycopg.connect(postgres.admin_url(), autocommit=True) as admin:
        create = sql.SQL("create database {} template {} owner postgres strategy file_copy")
        admin.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        url = postgres.url(name)
        try:
            with (
                serve(directory, url, redis_url, **variables) as server,
                psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection,
            ):
                server.wait_for("/readyz", 200)
                yield Attacked(server, connection, url)
        finally:
            admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def head(method: str, path: str, *lines: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode()


def answer(connection: socket.socket) -> bytes:
    """Read until the gateway closes the connection."""
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def path_of(url: str) -> str:
    return urlsplit(url).path
