"""For operators: lanes and workers as they are now, over all processes; pausing a lane, and letting it go on."""

from functools import partial

import structlog
from aiohttp import web
from sqlalchemy import Engine

from notifier.domain.errors import NotFound
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.http import lane_views, queries
from notifier.http.answers import json_answer
from notifier.http.body import read_nothing
from notifier.http.lane_views import Facts
from notifier.http.parts import CONFIG, enter, read
from notifier.storage import lane_controls, waiting, workers

log = structlog.get_logger("notifier.lanes")


async def listing(request: web.Request) -> web.Response:
    """Every lane, joined over all workers that beat."""
    await enter(request, "read")
    queries.read_query(request, {})
    facts = await read(request, facts_of, request.app[CONFIG].beat_fresh)
    return json_answer({"data": lane_views.lanes(facts)})


async def processes(request: web.Request) -> web.Response:
    """Every process that beats, the longest running first."""
    await enter(request, "read")
    queries.read_query(request, {})
    found = await read(request, workers.living, request.app[CONFIG].beat_fresh)
    return json_answer({"data": lane_views.workers(found)})


async def pause(request: web.Request) -> web.Response:
    """Nothing of the lane starts any more, within two seconds on every worker; what runs goes on."""
    return await _set(request, paused=True)


async def resume(request: web.Request) -> web.Response:
    """The lane goes on, within two seconds on every worker."""
    return await _set(request, paused=False)


def facts_of(engine: Engine, beat_fresh: float) -> Facts:
    """What storage knows of lanes; a beat older than `beat_fresh` seconds is nobody's any more."""
    return Facts(workers.living(engine, beat_fresh), lane_controls.read(engine), waiting.oldest_ages(engine))


def set_paused(engine: Engine, lane: Lane, paused: bool, by: str | None) -> bool:
    """Store the word and log it; False, and nothing logged, if the lane stands so already."""
    changed = lane_controls.set_paused(engine, lane, paused, by)
    if changed:
        log.info("lane_paused" if paused else "lane_resumed", lane=lane.name, by=by)
    return changed


async def _set(request: web.Request, *, paused: bool) -> web.Response:
    caller = await enter(request, "admin")
    caller.must_be_live()
    queries.read_query(request, {})
    await read_nothing(request, request.app[CONFIG])
    lane = _lane(request)
    await read(request, set_paused, lane, paused, caller.key_id)
    facts = await read(request, partial(facts_of, beat_fresh=request.app[CONFIG].beat_fresh))
    return json_answer(lane_views.lane_document(facts, lane))


def _lane(request: web.Request) -> Lane:
    try:
        return Lane(Channel(request.match_info["channel"]), Priority(request.match_info["priority"]))
    except ValueError:
        raise NotFound from None
