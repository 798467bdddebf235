"""The least an HTTP server in this stack can do: aiohttp on uvloop takes the same POST and decodes its body."""

import sys

import msgspec
import uvloop
from aiohttp import web

from notifier.http.schemas import SendRequest

_decoder = msgspec.json.Decoder(SendRequest)


async def _take(request: web.Request) -> web.Response:
    found = _decoder.decode(await request.read())
    answer = msgspec.json.encode({"reference": found.reference})
    return web.Response(body=answer, status=202, content_type="application/json")


def main(port: int) -> None:
    """Serve until SIGTERM."""
    app = web.Application()
    app.router.add_post("/v1/notifications", _take)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None, loop=uvloop.new_event_loop())


if __name__ == "__main__":
    main(int(sys.argv[1]))
