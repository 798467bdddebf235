"""One HTTP/1.1 connection that keeps a total deadline in every line it reads and every byte it writes.

`urllib3` bounds single socket calls only; here it is given a socket that gets what is left of the deadline for
each of them. A request is written in one piece, so that it is known whether any of it has left.
"""

import io
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any, cast

import urllib3.connection

from notifier.providers.base import Deadline
from notifier.providers.wire import DeadlinePassed, Target, dial, left, resolve, send_all

# It logs URLs and whatever stands in headers that it can't read.
logging.getLogger("urllib3.connection").setLevel(logging.CRITICAL)


#: Bytes of a request that go in the first call.
_FIRST = 65_536


class _Reader(io.RawIOBase):
    """Bytes as they come, each wait bounded by the deadline of the moment."""

    def __init__(self, owner: "DeadlineSocket", raw: Any) -> None:
        self._owner, self._raw = owner, raw
        self.ending = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.ending:
            return 0
        self._owner.sock.settimeout(left(self._owner.deadline))
        try:
            return cast("int | None", self._raw.readinto(buffer))
        except TimeoutError:
            raise DeadlinePassed from None

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(io.BufferedReader):
    """One answer's bytes; at its end it says whether more had come than belongs to it."""

    def __init__(self, owner: "DeadlineSocket", reader: _Reader) -> None:
        super().__init__(reader)
        self._owner, self._reader = owner, reader

    def close(self) -> None:
        if not self.closed:
            self._reader.ending = True
            self._owner.surplus = self._owner.surplus or bool(self.peek(1))
        super().close()


class DeadlineSocket:
    """As much of a socket as `http.client` wants. What it is to send it keeps until `flush`."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self.sock = sock
        self.deadline = deadline
        #: Whether any byte of the request may be with the peer: then it may have been read.
        self.written = False
        #: The peer said more than it was asked: what comes next belongs to nobody knows what.
        self.surplus = False
        self._waiting = bytearray()

    def sendall(self, data: bytes) -> None:
        """Keep `data` for `flush`."""
        self._waiting += data

    def flush(self) -> None:
        """Write what waits; raises `DeadlinePassed` or `OSError`."""
        data = bytes(self._waiting)
        self._waiting.clear()
        self.sock.settimeout(left(self.deadline))
        try:
            sent = self.sock.send(data[:_FIRST])
        except TimeoutError:
            raise DeadlinePassed from None
        # Until here the peer has no whole request, for this call failed or was the first.
        self.written = True
        send_all(self.sock, data[sent:], self.deadline)

    def makefile(self, mode: str = "rb", *_: Any) -> io.BufferedReader:
        """What the response is read from."""
        return _Answer(self, _Reader(self, self.sock.makefile("rb", buffering=0)))

    def settimeout(self, seconds: Any) -> None:
        """The deadline alone counts."""

    def close(self) -> None:
        """Closes when the response has been read, as sockets do."""
        self.sock.close()

    def is_quiet(self) -> bool:
        """Whether it is open and the peer has said nothing that nobody asked for. Reads at most a byte."""
        if self.surplus:
            return False
        try:
            self.sock.settimeout(0)
            self.sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False


class Connection(urllib3.connection.HTTPConnection):
    """To one host and port; `open` connects it. Never through a proxy."""

    sock: Any

    def open(
        self,
        deadline: Deadline,
        connect_timeout: float,
        context: ssl.SSLContext | None,
        look_up: Callable[[str, int, Deadline], list[Target]] = resolve,
    ) -> None:
        """Dial, and shake hands where there is a `context`; raises `OSError` (TLS too) or `DeadlinePassed`."""
        sock = dial(self.host, self.port, deadline, connect_timeout, look_up)
        try:
            if context is not None:
                sock.settimeout(min(left(deadline), connect_timeout))
                sock = context.wrap_socket(sock, server_hostname=self.host)
        except TimeoutError:
            sock.close()
            raise DeadlinePassed from None
        except BaseException:
            sock.close()
            raise
        self.sock = DeadlineSocket(sock, deadline)


class TlsConnection(Connection):
    """The same where 443 need not be said in the Host header."""

    default_port = 443  # type: ignore[misc]  # as urllib3's own does
