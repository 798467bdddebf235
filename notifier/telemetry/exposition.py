"""A small HTTP server for `/metrics`, `/livez` and `/readyz`, for a process that has no other.

Answers a known path and nothing else, names no version, and gives a caller who says nothing five seconds.
"""

import socket
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec

from notifier.telemetry.book import CONTENT_TYPE
from notifier.telemetry.probes import Verdict

#: Ports that are tried: the one asked for and the next nine.
PORTS = 10
_JSON = "application/json"

#: What a path answers: status, type and body.
Page = Callable[[], tuple[int, str, bytes]]


def metrics_page(told: Callable[[], bytes]) -> Page:
    """The metrics, as text."""
    return lambda: (HTTPStatus.OK, CONTENT_TYPE, told())


def verdict_page(judge: Callable[[], Verdict], good: str, bad: str) -> Page:
    """200 with the word `good`, or 503 with `bad` and what is wrong."""

    def page() -> tuple[int, str, bytes]:
        found = judge()
        body = {"status": good} if found.good else {"status": bad, "wrong": list(found.wrong)}
        status = HTTPStatus.OK if found.good else HTTPStatus.SERVICE_UNAVAILABLE
        return status, _JSON, msgspec.json.encode(body)

    return page


def free_socket(host: str, port: int) -> socket.socket | None:
    """A listening socket on `port` or the next free one up to nine above; None: all are taken, or no such address."""
    for chosen in range(port, min(port + PORTS, 65_536)):
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, chosen, type=socket.SOCK_STREAM)[0]
        except OSError:
            return None
        sock = socket.socket(family, kind, protocol)
        try:
            # As every server: a port whose last connections linger is free.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
            sock.listen(16)
        except OSError:
            sock.close()
            continue
        return sock
    return None


class Exposition:
    """Serves `pages` on a listening socket from a thread of its own until stopped."""

    def __init__(self, sock: socket.socket, pages: Mapping[str, Page]) -> None:
        self.port: int = sock.getsockname()[1]
        self._server = _Server(sock.getsockname()[:2], _handler(pages), bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = sock
        self._thread = threading.Thread(target=self._server.serve_forever, name="exposition", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5.0)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A scraper that left is no event."""


def _handler(pages: Mapping[str, Page]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5.0
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            page = pages.get(self.path.partition("?")[0])
            if page is None:
                self._answer(HTTPStatus.NOT_FOUND, _JSON, b'{"status":"not_found"}')
                return
            try:
                found = page()
            except Exception:  # noqa: BLE001 - a probe must hear something
                found = HTTPStatus.INTERNAL_SERVER_ERROR, _JSON, b'{"status":"failed"}'
            self._answer(*found)

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response_only(status)
            for name, value in (("Content-Type", kind), ("Content-Length", str(len(body)))):
                self.send_header(name, value)
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Nothing: a scrape every few seconds is no event."""

    return Handler
