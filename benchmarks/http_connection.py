"""A connection to an HTTP server that costs its client next to nothing: whole requests out, answers in."""

import socket

_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


class HttpConnection:
    """Keeps one connection alive; a request is made once, as bytes, and sent as it is."""

    __slots__ = ("_buffer", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def send(self, request: bytes) -> None:
        """Write a whole request."""
        self.socket.sendall(request)

    def receive(self) -> tuple[int, bytes] | None:
        """Read what has come: the answer's status and body once it is whole, else None."""
        chunk = self.socket.recv(65536)
        if not chunk:
            raise ConnectionError("the server closed the connection")
        self._buffer += chunk
        found, self._buffer = parsed(self._buffer)
        return found

    def answer(self) -> tuple[int, bytes]:
        """Wait for a whole answer."""
        while (found := self.receive()) is None:
            pass
        return found


def request_bytes(path: str, key: str, body: bytes) -> bytes:
    """A POST of JSON with an API key."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def parsed(received: bytes) -> tuple[tuple[int, bytes] | None, bytes]:
    """The first whole answer in `received`, or None, and the bytes that are left."""
    end = received.find(_END)
    if end < 0:
        return None, received
    head = received[:end].lower()
    at = head.find(_LENGTH)
    if at < 0:
        raise ValueError("an answer without a Content-Length")
    length = int(head[at + len(_LENGTH) :].partition(b"\r\n")[0])
    whole = end + len(_END) + length
    if len(received) < whole:
        return None, received
    return (int(head[9:12]), received[end + len(_END) : whole]), received[whole:]
