"""An HTTP/2 server on loopback that keeps what it heard and answers, or misbehaves, as it is told.

Plain (with prior knowledge) or, with `tls`, over TLS with ALPN. What it answers may be changed while it runs.
"""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from socket import SHUT_WR, socket

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings

from tests.nodes.peers import Behaviour, Peer, peer
from tests.nodes.web import Heard, Said


class Fault2(Enum):
    """What may happen instead of an answer, once the request was read."""

    CLOSE = "closes without a word"
    HANG = "never answers"
    GARBAGE = "answers what is no HTTP/2"
    REFUSE = "resets the stream as refused: not looked at"
    RESET = "resets the stream as failed"
    GOAWAY_UNSEEN = "leaves, the last stream it looked at is an earlier one"
    GOAWAY_SEEN = "leaves without an answer, after it looked at this stream"
    TRICKLE = "200, then a byte of the body every 100 ms"
    PINGS = "a PING every 100 ms and no answer"
    HUGE = "200 and a body without end"
    CUT = "200, half of the body, then the end"


Answer2 = Said | Fault2 | Callable[[Heard], "Said | Fault2"]
#: As the debug data of APNs.
_WHY = b'{"reason":"Shutdown"}'


@dataclass
class Http2Server:
    """A running server. `leaves`: a GOAWAY goes ahead of each answer. `window`: bytes a client may send at first."""

    answer: Answer2
    port: int = 0
    leaves: bool = False
    window: int | None = None
    heard: list[Heard] = field(default_factory=list)
    #: Set when a connection has been closed, or nothing more is said on it.
    ended: threading.Event = field(default_factory=threading.Event)
    _peer: Peer | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def connections(self) -> int:
        """How many connections there have been."""
        return 0 if self._peer is None else len(self._peer.connections)

    def keep(self, request: Heard) -> "Said | Fault2":
        """Keep `request`; what it is answered."""
        with self._lock:
            self.heard.append(request)
        return self.answer(request) if callable(self.answer) else self.answer


@contextmanager
def http2_server(answer: Answer2, tls: ssl.SSLContext | None = None, **more: object) -> Iterator[Http2Server]:
    """A server in threads of this process on a free port of 127.0.0.1."""
    server = Http2Server(answer, **more)  # type: ignore[arg-type]
    if tls is not None:
        tls.set_alpn_protocols(["h2"])

    def behave(this: Peer, connection: socket) -> None:
        number = this.connections.index(connection)
        if tls is not None:
            connection = tls.wrap_socket(connection, server_side=True)
            this.connections[number] = connection
        with suppress(OSError):
            serve2(server, this, connection, number + 1)
        connection.close()
        server.ended.set()

    with peer(behave) as running:
        server._peer, server.port = running, running.port
        yield server


def answers2(answer: Answer2) -> Behaviour:
    """A peer that speaks plain HTTP/2."""
    return lambda this, connection: serve2(Http2Server(answer), this, connection, 1)


def serve2(server: Http2Server, this: Peer, connection: socket, number: int) -> None:
    """Requests of one connection until one side ends it."""
    made = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
    if server.window is not None:
        codes = h2.settings.SettingCodes
        values = {codes.INITIAL_WINDOW_SIZE: server.window}
        made.local_settings = h2.settings.Settings(client=False, initial_values=values)
    made.initiate_connection()
    connection.sendall(made.data_to_send())
    requests: dict[int, tuple[dict[str, str], bytearray]] = {}
    while data := connection.recv(65_536):
        for event in made.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                requests[event.stream_id or 0] = (dict(event.headers or []), bytearray())  # type: ignore[arg-type]
            elif isinstance(event, h2.events.DataReceived):
                requests[event.stream_id or 0][1].extend(event.data or b"")
                made.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
            elif isinstance(event, h2.events.StreamEnded):
                headers, body = requests.pop(event.stream_id or 0)
                heard = Heard(headers[":method"], headers[":path"], headers, bytes(body), number)
                said = server.keep(heard)
                if not _answer(server, this, connection, made, event.stream_id or 0, said):
                    return
        connection.sendall(made.data_to_send())


def _goaway(last: int) -> bytes:
    payload = last.to_bytes(4, "big") + b"\0\0\0\0" + _WHY
    return len(payload).to_bytes(3, "big") + b"\x07\0\0\0\0\0" + payload


def _answer(
    server: Http2Server,
    this: Peer,
    connection: socket,
    made: h2.connection.H2Connection,
    stream: int,
    said: Said | Fault2,
) -> bool:
    """Whether the connection goes on."""
    if isinstance(said, Said):
        _reply(server, connection, made, stream, said)
        goes_on = not (server.leaves or said.closes)
    else:
        connection.sendall(made.data_to_send())
        _misbehave(this, connection, made, stream, said)
        goes_on = said in _RESETS
    if not goes_on and said is not Fault2.CLOSE:
        _leave(server, connection)
    return goes_on


def _reply(
    server: Http2Server, connection: socket, made: h2.connection.H2Connection, stream: int, said: Said
) -> None:
    if server.leaves:
        connection.sendall(made.data_to_send() + _goaway(stream))
    headers = [(":status", str(said.status)), *((name.lower(), text) for name, text in said.headers.items())]
    made.send_headers(stream, headers, end_stream=not said.body)
    if said.body:
        made.send_data(stream, said.body, end_stream=True)
    connection.sendall(made.data_to_send())


def _misbehave(
    this: Peer, connection: socket, made: h2.connection.H2Connection, stream: int, said: Fault2
) -> None:
    if said in _RESETS:
        made.reset_stream(stream, _RESETS[said])
        connection.sendall(made.data_to_send())
    elif said in _LAST_WORDS:
        connection.sendall(_LAST_WORDS[said](stream))
    elif said in {Fault2.HANG, Fault2.PINGS}:
        while not this.stop.wait(0.1):
            if said is Fault2.PINGS:
                made.ping(b"12345678")
            connection.sendall(made.data_to_send())
    elif said is not Fault2.CLOSE:
        _body(this, connection, made, stream, said)


_LAST_WORDS: dict[Fault2, Callable[[int], bytes]] = {
    Fault2.GARBAGE: lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n",
    Fault2.GOAWAY_UNSEEN: lambda stream: _goaway(max(0, stream - 2)),
    Fault2.GOAWAY_SEEN: _goaway,
}
_RESETS = {
    Fault2.REFUSE: h2.errors.ErrorCodes.REFUSED_STREAM,
    Fault2.RESET: h2.errors.ErrorCodes.INTERNAL_ERROR,
}


def _leave(server: Http2Server, connection: socket) -> None:
    """Say the end and hear the other side's, so that nothing of what was said is lost."""
    with suppress(OSError):
        (connection.unwrap() if isinstance(connection, ssl.SSLSocket) else connection).shutdown(SHUT_WR)
        server.ended.set()
        while connection.recv(65_536):
            pass


def _body(
    this: Peer, connection: socket, made: h2.connection.H2Connection, stream: int, fault: Fault2
) -> None:
    made.send_headers(stream, [(":status", "200"), ("content-length", "100000")])
    connection.sendall(made.data_to_send())
    if fault is Fault2.CUT:
        made.send_data(stream, b"{")
        connection.sendall(made.data_to_send())
        return
    while not this.stop.is_set():
        size = 1 if fault is Fault2.TRICKLE else min(made.local_flow_control_window(stream), 16_384)
        if size:
            made.send_data(stream, b"x" * size)
            connection.sendall(made.data_to_send())
        if fault is Fault2.TRICKLE:
            this.stop.wait(0.1)
        elif not size:
            data = connection.recv(65_536)
            if not data:
                return
            made.receive_data(data)
