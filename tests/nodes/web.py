"""An HTTP/1.1 server on loopback that keeps what it heard and answers, or misbehaves, as it is told.

::

    with web_server(lambda heard: Said(201, b'{"sid": "SM1"}')) as server:
        ...                        # server.url, server.heard, server.connections
        server.answer = Fault.HANG

With `tls` (see `authority`) it speaks HTTPS. What it answers may be changed while it runs.
"""

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from io import BufferedIOBase
from pathlib import Path
from socket import socket
from typing import cast
from urllib.parse import parse_qs

import trustme

from tests.nodes.peers import Peer, peer

_HUGE = 100_000_000


@dataclass(frozen=True, slots=True)
class Heard:
    """One whole request; `connection` counts from 1: requests with the same one came over one connection."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: int

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form-encoded body."""
        return {name: values[0] for name, values in parse_qs(self.body.decode(), strict_parsing=True).items()}


@dataclass(frozen=True, slots=True)
class Said:
    """One answer. `closes`: the connection ends with it, though nothing said so."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    closes: bool = False

    def encoded(self) -> bytes:
        """As it goes over the wire."""
        headers = {"Content-Type": "application/json", "Content-Length": str(len(self.body)), **self.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"HTTP/1.1 {self.status} Said\r\n{lines}\r\n".encode() + self.body


class Fault(Enum):
    """What may happen instead of an answer, once the request was read."""

    CLOSE = "closes without a word"
    HANG = "never answers"
    GARBAGE = "answers what is no HTTP"
    TRICKLE_STATUS = "a byte of the status line every 100 ms"
    TRICKLE_HEADERS = "a byte of endless headers every 100 ms"
    TRICKLE_BODY = "201, then a byte of the body every 100 ms"
    HUGE = "201 with a body of 100 MB"
    CUT_BODY = "201, half of the body, then the end"


_TRICKLES = {
    Fault.TRICKLE_STATUS: b"",
    Fault.TRICKLE_HEADERS: b"HTTP/1.1 201 Created\r\nX-",
    Fault.TRICKLE_BODY: b"HTTP/1.1 201 Created\r\nContent-Length: 100000\r\n\r\n",
}

Answer = Said | Fault | Callable[[Heard], "Said | Fault"]


@dataclass
class WebServer:
    """A running server."""

    answer: Answer
    scheme: str = "http"
    port: int = 0
    heard: list[Heard] = field(default_factory=list)
    #: Bytes of the huge body that were taken before the client left.
    huge_sent: int = 0
    #: Set when a connection has been closed.
    ended: threading.Event = field(default_factory=threading.Event)
    _peer: Peer | None = None
    _numbers: dict[int, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections there have been."""
        return 0 if self._peer is None else len(self._peer.connections)

    def keep(self, request: Heard) -> "Said | Fault":
        """Keep `request`; what it is answered."""
        with self._lock:
            self.heard.append(request)
        return self.answer(request) if callable(self.answer) else self.answer

    def number(self, connection: socket) -> int:
        """Which connection this is."""
        with self._lock:
            return self._numbers.setdefault(id(connection), len(self._numbers) + 1)


@contextmanager
def web_server(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[WebServer]:
    """A server in threads of this process on a free port of 127.0.0.1."""
    server = WebServer(answer, "http" if tls is None else "https")

    def behave(this: Peer, connection: socket) -> None:
        if tls is not None:
            position = this.connections.index(connection)
            connection = tls.wrap_socket(connection, server_side=True)
            this.connections[position] = connection
        with suppress(OSError, ValueError):
            serve(server, this, connection)
        connection.close()
        server.ended.set()

    with peer(behave) as running:
        server._peer, server.port = running, running.port
        yield server


def serve(server: WebServer, this: Peer, connection: socket) -> None:
    """Requests of one connection, one after another, until one side ends it."""
    number = server.number(connection)
    with connection.makefile("rb") as lines:
        while (request := _read(cast("BufferedIOBase", lines), number)) is not None:
            said = server.keep(request)
            if isinstance(said, Fault):
                _misbehave(said, server, this, connection)
                return
            connection.sendall(said.encoded())
            if said.closes:
                return


def _read(lines: BufferedIOBase, connection: int) -> Heard | None:
    first = lines.readline()
    if not first:
        return None
    method, path, _ = first.decode().split(" ")
    headers: dict[str, str] = {}
    while (line := lines.readline().decode().strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    length = int(headers.get("content-length", "0"))
    body = lines.read(length)
    return Heard(method, path, headers, body, connection) if len(body) == length else None


def _misbehave(fault: Fault, server: WebServer, this: Peer, connection: socket) -> None:
    match fault:
        case Fault.HANG:
            this.stop.wait()
        case Fault.GARBAGE:
            connection.sendall(b"220 smtp.example.com ESMTP\r\n")
        case Fault.CUT_BODY:
            connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{")
        case Fault.HUGE:
            connection.sendall(f"HTTP/1.1 201 Created\r\nContent-Length: {_HUGE}\r\n\r\n".encode())
            while server.huge_sent < _HUGE:
                connection.sendall(b"x" * 65_536)
                server.huge_sent += 65_536
        case Fault.CLOSE:
            pass
        case _:
            connection.sendall(_TRICKLES[fault])
            while not this.stop.wait(0.1):
                connection.sendall(b"1")


def authority(folder: Path, *names: str) -> tuple[ssl.SSLContext, Path]:
    """A server's context for `names` (usually 127.0.0.1 and localhost), and the PEM file of the authority that vouches for it."""
    made = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.issue_cert(*(names or ("127.0.0.1", "localhost"))).configure_cert(context)
    path = folder / "authority.pem"
    made.cert_pem.write_to_path(str(path))
    return context, path
