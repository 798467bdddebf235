"""`GET /v1/lanes/events`: the lanes as Server-Sent Events (HTML Living Standard, 9.2), one a second.

First ``history`` once, then ``lanes`` each second, or ``unavailable`` while storage is away. A stream ends when this
process stops, and when its key or session is good no more: that is looked at again every five seconds.
"""

import asyncio
import contextlib

import structlog
from aiohttp import hdrs, web

from notifier.domain.errors import InvalidInput, Unavailable
from notifier.http import lane_views, queries
from notifier.http.answers import encoded
from notifier.http.health import HEALTH
from notifier.http.lane_feed import LaneFeed, Seen, Viewer
from notifier.http.lanes import facts_of
from notifier.http.middlewares import STREAMED
from notifier.http.parts import CONFIG, FEED, KEYS, PARTS, READS, enter
from notifier.http.problems import Problem
from notifier.http.times import shown

log = structlog.get_logger("notifier.lanes")

#: What a viewer is told to wait before it comes back, in milliseconds.
_RETRY = 2000
#: Seconds after which who watches is looked at again.
_TRUST = 5.0
#: A stream may be asked to end by itself, for those who only want to see some.
MOST_EVENTS = 1_000_000
#: Without it nginx would gather events before it passes them on.
_HEADERS = {"X-Accel-Buffering": "no"}


async def stream(request: web.Request) -> web.StreamResponse:
    """All events until somebody ends it, or as many of ``lanes`` as were asked for."""
    await enter(request, "read")
    wanted = queries.read_query(request, {"events": _number}).get("events", MOST_EVENTS)
    answer = web.StreamResponse(headers=_HEADERS)
    answer.content_type, answer.charset = STREAMED, "utf-8"
    feed = request.app[FEED]
    with feed.viewer() as viewer:
        await answer.prepare(request)
        if request.method != hdrs.METH_HEAD:
            # A reader who has gone is no error.
            with contextlib.suppress(ConnectionError):
                await _tell(request, answer, feed, viewer, wanted)
                await answer.write_eof()
    return answer


async def look(app: web.Application) -> Seen:
    """What all viewers are told at this moment."""
    config, parts = app[CONFIG], app[PARTS]
    at = shown(parts.now())
    try:
        facts = await app[READS].run(facts_of, parts.engine, config.beat_fresh, config.lanes)
    except Exception as error:  # noqa: BLE001 - whatever it is, who watches is told and the next look may go well
        if not isinstance(error, Unavailable):
            log.error("lane_look_failed", error=type(error).__name__)
        return Seen(_event("unavailable", encoded({"at": at})), None)
    lanes = lane_views.lanes(facts)
    threads = lane_views.threads(facts.processes)
    running = {one["lane"]: one["running"] for one in lanes if one["running"]}
    told = encoded({"at": at, "threads": threads, "data": lanes})
    return Seen(_event("lanes", told), {"at": at, "threads": threads, "running": running})


async def _tell(
    request: web.Request, answer: web.StreamResponse, feed: LaneFeed, viewer: Viewer, wanted: int
) -> None:
    await answer.write(f"retry: {_RETRY}\n".encode() + _event("history", feed.history()))
    time = asyncio.get_running_loop().time
    trusted_until = time() + _TRUST
    while wanted and not request.app[HEALTH].draining:
        event = await viewer.take(1.0)
        if event is not None:
            await answer.write(event)
            wanted -= 1
        if time() >= trusted_until:
            try:
                await request.app[KEYS].caller(request)
            except (Problem, Unavailable):
                return
            trusted_until = time() + _TRUST


def _event(name: str, data: bytes) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MOST_EVENTS))):
        raise InvalidInput("out_of_range", f"must be 1 to {MOST_EVENTS}")
    if not 1 <= int(text) <= MOST_EVENTS:
        raise InvalidInput("out_of_range", f"must be 1 to {MOST_EVENTS}")
    return int(text)
