"""Listening, and stopping without losing an answer.

At a stop the door is first not ready while it still takes connections (those who balance between doors
need a moment to see it), then it listens no more, lets whoever was let in speak and the running requests
end, and goes.
"""

import asyncio
import contextlib
import resource
import socket
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from notifier.http.config import HttpConfig
from notifier.http.health import HEALTH
from notifier.http.parts import CONFIG
from notifier.http.protocol import DoorProtocol
from notifier.http.quick import QuickDoor

log = structlog.get_logger()

BACKLOG = 1024
#: File descriptors that this process needs for anything but callers.
_RESERVED_FILES = 100
_LINGERING = 2.0
_POLL = 0.02
#: Seconds for who was let in just before listening ended to say what he wants.
_LAST_WORDS = 1.0


class DoorServer(web.Server):
    """Makes the connections and holds them to their number: past it the one idle longest is closed."""

    def __init__(self, base: web.Server, app: web.Application, loop: asyncio.AbstractEventLoop) -> None:
        # Its requests are those of an application, whose own factory makes them.
        quick: Any = QuickDoor(app, base.request_handler)
        super().__init__(quick, request_factory=base.request_factory, loop=loop)
        self._config = config = app[CONFIG]
        self._limit = min(config.connections, _files() - _RESERVED_FILES)
        self._by_use: OrderedDict[RequestHandler, None] = OrderedDict()

    def __call__(self) -> DoorProtocol:
        """A handler for a new connection."""
        return DoorProtocol(
            self,
            loop=self._loop,
            header_deadline=self._config.header_deadline,
            keepalive_timeout=self._config.keepalive,
            lingering_time=_LINGERING,
            auto_decompress=False,
            access_log=None,
        )

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._by_use[handler] = None
        if len(self._by_use) > self._limit:
            self._make_room(handler)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        self._by_use.pop(handler, None)
        super().connection_lost(handler, exc)

    def used(self, handler: DoorProtocol) -> None:
        """The connection has just begun a request."""
        if handler in self._by_use:
            self._by_use.move_to_end(handler)

    @property
    def busy(self) -> int:
        """Connections with a request under way."""
        return sum(not handler.idle for handler in self._by_use if isinstance(handler, DoorProtocol))

    @property
    def expecting(self) -> int:
        """Connections whose request has not begun or has not got all its headers; not those kept alive."""
        return sum(handler.expecting for handler in self._by_use if isinstance(handler, DoorProtocol))

    def _make_room(self, newest: RequestHandler) -> None:
        """Close the idle connection whose last request is oldest; with none idle, the newcomer."""
        idle = (one for one in self._by_use if isinstance(one, DoorProtocol) and one.idle)
        chosen = next((one for one in idle if one is not newest), newest)
        log.warning("http_connection_limit", limit=self._limit, refused=chosen is newest)
        self._by_use.pop(chosen, None)
        chosen.force_close()


class DoorRunner(web.AppRunner):
    """aiohttp's runner with our own server."""

    door: DoorServer

    async def _make_server(self) -> web.Server:
        base = await super()._make_server()
        self.door = DoorServer(base, self.app, asyncio.get_running_loop())
        return self.door


async def serve_on(
    sock: socket.socket, app: web.Application, config: HttpConfig, stop: asyncio.Event
) -> None:
    """Serve on a listening socket until `stop` is set, then leave in good order."""
    runner = DoorRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.SockSite(runner, sock, backlog=BACKLOG)
        await site.start()
        log.info("http_serving", address=_shown(sock))
        await stop.wait()
        await _leave(runner, site, sock, config)
    finally:
        await runner.cleanup()


async def run(app: web.Application, config: HttpConfig, stop: asyncio.Event, *, host: str, port: int) -> None:
    """Serve on an address of our own making until `stop` is set."""
    with contextlib.closing(listen(host, port)) as sock:
        await serve_on(sock, app, config, stop)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; several processes that are forked may share it. Port 0: any free one."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = found[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


async def _leave(runner: DoorRunner, site: web.SockSite, sock: socket.socket, config: HttpConfig) -> None:
    runner.app[HEALTH].draining = True
    log.info("http_draining", linger_s=config.linger)
    await asyncio.sleep(config.linger)
    await _listen_no_more(runner, site, sock)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LAST_WORDS):
            while runner.door.expecting:  # noqa: ASYNC110
                await asyncio.sleep(_POLL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(config.drain):
            # aiohttp has no signal for the end of the last request.
            while runner.door.busy:  # noqa: ASYNC110
                await asyncio.sleep(_POLL)
    log.info("http_stopped", unfinished=runner.door.busy)


async def _listen_no_more(runner: DoorRunner, site: web.SockSite, sock: socket.socket) -> None:
    """Close the socket, but not on those whom the kernel has let in already: it would reset them."""
    loop = asyncio.get_running_loop()
    # asyncio can't make a connection that it has accepted once its server is closed: first these, then the rest.
    loop.remove_reader(sock)
    await asyncio.sleep(_POLL)
    waiting = list(let_in(sock))
    await site.stop()
    for connection in waiting:
        await loop.connect_accepted_socket(runner.door, connection)


def let_in(sock: socket.socket) -> Iterator[socket.socket]:
    """The connections that wait behind a listening socket to be accepted."""
    while True:
        try:
            connection, _ = sock.accept()
        except ConnectionAbortedError:
            continue
        except OSError:
            # None is left, or no file descriptor is.
            return
        connection.setblocking(False)
        yield connection


def _files() -> int:
    """How many files this process may open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if soft == resource.RLIM_INFINITY else max(soft, 2 * _RESERVED_FILES)


def _shown(sock: socket.socket) -> Any:
    return sock.getsockname()
