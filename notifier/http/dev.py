"""`GET /v1/dev/messages`: what the console provider was last given; only `notifier dev` has it."""

from aiohttp import web

from notifier.http.answers import json_answer
from notifier.http.parts import PARTS, enter
from notifier.http.queries import read_query


async def messages(request: web.Request) -> web.Response:
    """The captured messages, newest last."""
    await enter(request, "read")
    read_query(request, {})
    captured = request.app[PARTS].captured
    return json_answer({"data": list(captured()) if captured else []})
