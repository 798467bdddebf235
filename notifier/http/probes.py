"""The second port of an HTTP process: `/metrics`, and its own `/livez` and `/readyz`.

Several processes that share the door's socket can't be told apart there; here each has a port of its own. It
answers on the door's event loop, so that a loop which hangs is seen to.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web

from notifier.http import health, middlewares
from notifier.http.headers import request_id_of
from notifier.http.health import HEALTH
from notifier.http.parts import REQUEST_ID

_Told = Callable[[], bytes]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build_probes(door: web.Application, told: _Told, content_type: str) -> web.Application:
    """The application; `told` gives the metrics' text and is called in a thread."""

    async def metrics(_: web.Request) -> web.Response:
        body = await asyncio.get_running_loop().run_in_executor(None, told)
        return web.Response(body=body, headers={"Content-Type": content_type})

    app = web.Application(middlewares=[_name, middlewares.explain])
    app[HEALTH] = door[HEALTH]
    app.add_routes(
        [
            web.get("/metrics", metrics),
            web.get("/livez", health.livez),
            web.get("/readyz", health.readyz),
        ]
    )
    app.on_response_prepare.append(middlewares.dress)
    return app


@web.middleware
async def _name(request: web.Request, handler: Handler) -> web.StreamResponse:
    """No log line for a scrape, but an error names its request."""
    request[REQUEST_ID] = request_id_of(request)
    return await handler(request)


async def serve_probes(sock: socket.socket, app: web.Application, stop: asyncio.Event) -> None:
    """Answer on a listening socket until `stop` is set."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.SockSite(runner, sock).start()
        await stop.wait()
    finally:
        await runner.cleanup()
