"""Sockets that keep a total deadline, however slowly the peer answers.

A socket's own timeout bounds one call: a peer that sends a byte a second never trips it. Here every
call gets what is left of the deadline, and at zero `DeadlinePassed` is raised.
"""

import contextlib
import ipaddress
import queue
import socket
import threading
from collections.abc import Callable
from typing import Any

from notifier.providers.base import Deadline

#: The longest reply taken; RFC 5321 (4.5.3.1.5) wants 512 octets a line, and an EHLO has a few dozen.
_MAX_REPLY = 65_536
_CHUNK = 65_536

_Address = tuple[Any, ...]
Target = tuple[socket.AddressFamily, _Address]


class DeadlinePassed(Exception):
    """The whole call's time is over. No `OSError`: the libraries in between would swallow that."""


def left(deadline: Deadline) -> float:
    """Seconds left, always positive; raises `DeadlinePassed` when none are."""
    seconds = deadline.remaining()
    if seconds <= 0:
        raise DeadlinePassed
    return seconds


def send_all(sock: socket.socket, data: bytes, deadline: Deadline) -> None:
    """Write all of `data` by the deadline; raises `DeadlinePassed` or `OSError`.

    Not `sendall`: that of a TLS socket takes its timeout anew for each record.
    """
    rest = memoryview(data)
    while rest:
        sock.settimeout(left(deadline))
        try:
            rest = rest[sock.send(rest[:_CHUNK]) :]
        except TimeoutError:
            raise DeadlinePassed from None


class DeadlineReader:
    """Lines from a socket; stands in for the file that `smtplib` would make of it."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._buffer = bytearray()
        self._taken = 0
        self.deadline = deadline

    @property
    def has_unread(self) -> bool:
        """Whether bytes have come that nobody asked for yet."""
        return bool(self._buffer)

    def new_reply(self) -> None:
        """Count the bytes of the next reply from zero."""
        self._taken = 0

    def readline(self, limit: int) -> bytes:
        """The next line, its end included; less at the end of the stream or at `limit` bytes."""
        while (end := self._buffer.find(b"\n", 0, limit)) < 0 and len(self._buffer) < limit:
            self._sock.settimeout(left(self.deadline))
            try:
                chunk = self._sock.recv(8_192)
            except TimeoutError:
                raise DeadlinePassed from None
            if not chunk:
                break
            self._buffer += chunk
        size = end + 1 if end >= 0 else min(limit, len(self._buffer))
        self._taken += size
        if self._taken > _MAX_REPLY:
            raise ConnectionAbortedError("the reply is too long")
        line = bytes(self._buffer[:size])
        del self._buffer[:size]
        return line

    def close(self) -> None:
        """The socket is closed by its owner."""


def dial(
    host: str,
    port: int,
    deadline: Deadline,
    connect_timeout: float,
    look_up: Callable[[str, int, Deadline], list[Target]] | None = None,
) -> socket.socket:
    """A connection to the first address of `host` that answers, within `connect_timeout` seconds.

    Raises `OSError` (refused, unknown host) or `DeadlinePassed`. Each address gets its share of the time,
    so that one black hole does not hide the addresses behind it. `look_up` takes the place of `resolve`.
    """
    whole = Deadline(min(connect_timeout, left(deadline)))
    targets = (look_up or resolve)(host, port, whole)
    failure: OSError | None = None
    for position, (family, address) in enumerate(targets):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(left(whole) / (len(targets) - position))
            sock.connect(address)
            # The last dot goes out by itself: without this it would wait for the peer's delayed ACK.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    if failure is None or isinstance(failure, TimeoutError):
        raise DeadlinePassed
    raise failure


def resolve(host: str, port: int, deadline: Deadline) -> list[Target]:
    """The addresses of `host`; raises `OSError` if there is none, or `DeadlinePassed`."""
    with contextlib.suppress(ValueError):
        version = ipaddress.ip_address(host).version
        return [(socket.AF_INET if version == 4 else socket.AF_INET6, (host, port))]  # noqa: PLR2004
    return _resolve_aside(host, port, deadline)


def _resolve_aside(host: str, port: int, deadline: Deadline) -> list[Target]:
    """Look `host` up in a thread of its own: the system's resolver knows no timeout of ours."""
    answers: queue.SimpleQueue[list[Target] | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put([(family, address) for family, _, _, _, address in found])
        except (OSError, UnicodeError) as error:
            answers.put(error if isinstance(error, OSError) else OSError("the host name can't be looked up"))

    threading.Thread(target=look_up, name="provider-dns", daemon=True).start()
    try:
        answer = answers.get(timeout=left(deadline))
    except queue.Empty:
        raise DeadlinePassed from None
    if isinstance(answer, OSError):
        raise answer
    return answer
