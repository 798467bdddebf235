"""Peers that behave badly on purpose: they hang, trickle, close at the wrong moment, repeat secrets.

Each is a thread with a listening socket on 127.0.0.1, given what to do with one connection.
"""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Peer:
    """A listening peer; `stop` is set when it has to let go."""

    port: int
    stop: threading.Event = field(default_factory=threading.Event)
    connections: list[socket.socket] = field(default_factory=list)
    #: What SMTP clients said, a line each, without the message.
    heard: list[str] = field(default_factory=list)
    #: Replies for the next command of that name only.
    say_once: dict[str, str] = field(default_factory=dict)


Behaviour = Callable[[Peer, socket.socket], None]


@contextmanager
def peer(behave: Behaviour) -> Iterator[Peer]:
    """A peer that treats every connection with `behave`, in a thread each."""
    listening = socket.create_server(("127.0.0.1", 0))
    this = Peer(listening.getsockname()[1])
    threads: list[threading.Thread] = []

    def treat(connection: socket.socket) -> None:
        with suppress(OSError):
            behave(this, connection)
        connection.close()

    def accept() -> None:
        with suppress(OSError):
            while not this.stop.is_set():
                connection, _ = listening.accept()
                this.connections.append(connection)
                threads.append(threading.Thread(target=treat, args=(connection,), daemon=True))
                threads[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield this
    finally:
        this.stop.set()
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for connection in this.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in (acceptor, *threads):
            thread.join(10)


def hangs(this: Peer, connection: socket.socket) -> None:
    """Take the connection and never say a word."""
    this.stop.wait()


def trickles(this: Peer, connection: socket.socket) -> None:
    """A byte every 100 ms, for ever: each resets a plain socket timeout."""
    while not this.stop.wait(0.1):
        connection.sendall(b"2")


def closes(this: Peer, connection: socket.socket) -> None:
    """Close after accept."""


def speaks_smtp(replies: Mapping[str, str | None] | None = None) -> Behaviour:
    """An SMTP server that answers by the book, but for `replies`.

    They are by command (``EHLO``, ``AUTH``, ``MAIL``, ``RCPT``, ``DATA``, ``RSET``), ``GREETING``, ``BODY`` (the
    first bytes of the message) and ``DOT`` (the final one). None closes the connection; ``HANG`` never
    answers; ``{line}`` in a reply is what the client said.
    """
    book: dict[str, str | None] = {
        "GREETING": "220 peer",
        "EHLO": "250-peer\r\n250 AUTH PLAIN LOGIN",
        "AUTH": "235 2.7.0 ok",
        "DATA": "354 go on",
        "DOT": "250 2.0.0 Ok: queued as 4PEER",
        "QUIT": "221 bye",
        **(replies or {}),
    }

    def behave(this: Peer, connection: socket.socket) -> None:
        with connection.makefile("rb") as lines:
            if not _say(this, connection, book["GREETING"], ""):
                return
            for raw in lines:
                line = raw.decode().strip()
                this.heard.append(line)
                verb = line.split(" ")[0].upper()
                reply = this.say_once.pop(verb, None) or book.get(verb, "250 ok")
                if not _say(this, connection, reply, line):
                    return
                if verb == "DATA" and (reply or "").startswith("354"):
                    if "BODY" in book and lines.readline():
                        _say(this, connection, book["BODY"], line)
                        return
                    for text in lines:
                        if text == b".\r\n":
                            break
                    if not _say(this, connection, this.say_once.pop("DOT", None) or book["DOT"], line):
                        return

    return behave


def _say(this: Peer, connection: socket.socket, reply: str | None, line: str) -> bool:
    if reply is None:
        return False
    if reply == "HANG":
        this.stop.wait()
        return False
    connection.sendall(reply.replace("{line}", line).encode() + b"\r\n")
    return True
