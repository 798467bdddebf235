"""The second port of `notifier serve` and `notifier dev`: metrics and probes."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from notifier.settings import Settings
from notifier.telemetry.logs import get_logger

log = get_logger("notifier.metrics")


def probe_socket(settings: Settings, number: int = 0) -> socket.socket | None:
    """A listening socket for the process of this number, on its port or the next free one; None: off, or all taken."""
    from notifier.telemetry.exposition import free_socket

    if not settings.metrics_port:
        return None
    sock = free_socket(settings.metrics_host, settings.metrics_port + number)
    if sock is None:
        log.error("metrics_port_taken", host=settings.metrics_host, port=settings.metrics_port + number)
    return sock


@contextlib.asynccontextmanager
async def probed(
    sock: socket.socket | None, door: web.Application, told: Callable[[], bytes]
) -> AsyncIterator[None]:
    """Inside the block the probes are answered."""
    if sock is None:
        yield
        return
    from notifier.http.probes import build_probes, serve_probes
    from notifier.telemetry.book import CONTENT_TYPE

    leave = asyncio.Event()
    sock.setblocking(False)
    probes = asyncio.create_task(serve_probes(sock, build_probes(door, told, CONTENT_TYPE), leave))
    log.info("metrics_serving", host=sock.getsockname()[0], port=sock.getsockname()[1])
    try:
        yield
    finally:
        leave.set()
        await probes
