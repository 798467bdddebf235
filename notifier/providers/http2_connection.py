"""One HTTP/2 connection, one request at a time, in a total deadline (RFC 9113).

It knows what an HTTP/2 peer has certainly not processed: a request whose end was never written, one above the last
stream of a GOAWAY (6.8), and one that was reset as refused (8.7).
"""

import contextlib
import socket
import ssl
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from notifier.domain.lifecycle import Reason
from notifier.providers.base import Deadline
from notifier.providers.http2_frames import FrameSplitter
from notifier.providers.http_values import MAX_BODY, NoAnswer, NotSent, Reply, Request, Result
from notifier.providers.wire import DeadlinePassed, left, send_all

_CHUNK = 65_536
#: How often a connection is read once it takes nothing more: a TLS socket gives a record each time.
_LAST_READS = 16
_SETTINGS = {h2.settings.SettingCodes.ENABLE_PUSH: 0, h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: 65_536}


class ConnectionEnded(Exception):
    """The peer has closed it, or what it said is no HTTP/2."""


class _Exchange:
    """What has come for one stream."""

    def __init__(self, stream: int) -> None:
        self.stream = stream
        #: Whether the request's end may be with the peer.
        self.whole_request = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.ended = False
        self.reset: int | None = None

    def reply(self) -> Reply:
        return Reply(self.status, self.headers, bytes(self.body[:MAX_BODY]), whole=self.ended)


class Http2Connection:
    """On a socket that is connected. After an answer that is not whole, or `usable` is False, it is to be closed."""

    def __init__(self, sock: socket.socket, authority: str, scheme: str) -> None:
        self._sock = sock
        self._authority, self._scheme = authority, scheme
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self._h2 = h2.connection.H2Connection(config)
        # Set one by one they would be sent after the preface only.
        self._h2.local_settings = h2.settings.Settings(client=True, initial_values=_SETTINGS)
        self._h2.initiate_connection()
        self._frames = FrameSplitter()
        self._ended = False

    @property
    def usable(self) -> bool:
        """Whether another request may begin here."""
        return not self._ended and self._frames.goaway is None

    def look(self) -> bool:
        """Take what the peer has said meanwhile (it may be leaving); whether another request may begin."""
        try:
            self._sock.settimeout(0)
            while self.usable:
                self._take(self._sock.recv(_CHUNK), None)
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        except (OSError, ConnectionEnded):
            self._ended = True
        return self.usable

    def close(self) -> None:
        """Close the socket."""
        self._ended = True
        self._sock.close()

    def send(self, request: Request, deadline: Deadline) -> Result:
        """One request and its answer by `deadline`; never raises for what the peer did."""
        exchange: _Exchange | None = None
        try:
            exchange = _Exchange(self._h2.get_next_available_stream_id())
            self._write(exchange, request, deadline)
            while not exchange.ended and exchange.reset is None and len(exchange.body) <= MAX_BODY:
                if self._unseen(exchange):
                    raise ConnectionEnded  # noqa: TRY301 - as every other end of it
                self._receive(exchange, deadline)
        except (DeadlinePassed, OSError, ConnectionEnded, h2.exceptions.ProtocolError) as failure:
            if isinstance(failure, OSError):
                self._hear_last_words(exchange)
            self._ended = True
            return self._broken(exchange, failure)
        if exchange.reset is not None and not exchange.status:
            return self._was_reset(exchange)
        if not (exchange.ended and exchange.whole_request):
            self._ended = True
        return exchange.reply()

    def _write(self, exchange: _Exchange, request: Request, deadline: Deadline) -> None:
        headers = [
            (":method", request.method),
            (":scheme", self._scheme),
            (":authority", self._authority),
            (":path", request.path),
            *((name.lower(), value) for name, value in request.headers.items()),
        ]
        self._h2.send_headers(exchange.stream, headers)
        rest = memoryview(request.body)
        while True:
            # A window may shrink below nothing (RFC 9113, 6.9.2).
            window = max(0, self._h2.local_flow_control_window(exchange.stream))
            size = min(len(rest), window, self._h2.max_outbound_frame_size)
            if size == len(rest):
                break
            if size:
                self._h2.send_data(exchange.stream, bytes(rest[:size]))
                rest = rest[size:]
            send_all(self._sock, self._h2.data_to_send(), deadline)
            if not size:
                self._receive(exchange, deadline)
                if exchange.ended or exchange.reset is not None:
                    # An answer may come before the whole request has (8.1).
                    return
        send_all(self._sock, self._h2.data_to_send(), deadline)
        self._h2.send_data(exchange.stream, bytes(rest), end_stream=True)
        last = self._h2.data_to_send()
        self._sock.settimeout(left(deadline))
        sent = self._sock.send(last)
        exchange.whole_request = True
        send_all(self._sock, last[sent:], deadline)

    def _receive(self, exchange: _Exchange, deadline: Deadline) -> None:
        self._sock.settimeout(left(deadline))
        try:
            data = self._sock.recv(_CHUNK)
        except TimeoutError:
            raise DeadlinePassed from None
        self._take(data, exchange)
        # A peer that has left takes no more of these, though its answer may be here already.
        with contextlib.suppress(OSError):
            send_all(self._sock, self._h2.data_to_send(), deadline)

    def _take(self, data: bytes, exchange: _Exchange | None) -> None:
        if not data:
            raise ConnectionEnded
        try:
            events = self._h2.receive_data(self._frames.feed(data))
        except h2.exceptions.ProtocolError:
            raise ConnectionEnded from None
        for event in events:
            if isinstance(event, h2.events.DataReceived):
                self._h2.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
            if exchange is not None and getattr(event, "stream_id", None) == exchange.stream:
                _note(exchange, event)

    def _hear_last_words(self, exchange: _Exchange | None) -> None:
        """A peer that has left takes nothing more, but what it said before (GOAWAY, an answer) may be here unread."""
        with contextlib.suppress(OSError, ConnectionEnded):
            self._sock.settimeout(0)
            for _ in range(_LAST_READS):
                self._take(self._sock.recv(_CHUNK), exchange)

    def _unseen(self, exchange: _Exchange) -> bool:
        """Whether the peer has said that it will not look at this request."""
        goaway = self._frames.goaway
        return goaway is not None and exchange.stream > goaway.last_stream_id

    def _broken(self, exchange: _Exchange | None, failure: Exception) -> Result:
        if exchange is not None and exchange.status:
            return exchange.reply()
        late = isinstance(failure, DeadlinePassed | TimeoutError)
        if exchange is not None and exchange.whole_request and not self._unseen(exchange):
            return NoAnswer("no answer in time" if late else "the connection was closed before an answer")
        if late:
            return NotSent(Reason.PROVIDER_TIMEOUT, "the request could not be written in time")
        return NotSent(Reason.PROVIDER_UNAVAILABLE, "the connection ended before the request was looked at")

    def _was_reset(self, exchange: _Exchange) -> Result:
        if exchange.reset == h2.errors.ErrorCodes.REFUSED_STREAM or not exchange.whole_request:
            return NotSent(Reason.PROVIDER_UNAVAILABLE, "the request was refused before it was looked at")
        return NoAnswer("the request was reset before an answer")


def _note(exchange: _Exchange, event: Any) -> None:
    """One event of the exchange's own stream."""
    match event:
        case h2.events.ResponseReceived():
            exchange.headers = {str(name): str(value) for name, value in event.headers or []}
            exchange.status = int(exchange.headers.pop(":status"))
        case h2.events.DataReceived():
            exchange.body += event.data or b""
        case h2.events.StreamEnded():
            exchange.ended = True
        case h2.events.StreamReset():
            exchange.reset = int(event.error_code or 0)
