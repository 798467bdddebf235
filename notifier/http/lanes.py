"""For operators: lanes and workers as they are now, over all processes; pausing a lane, and letting it go on."""

from collections.abc import Sequence

import structlog
from aiohttp import web
from sqlalchemy import Engine

from notifier.domain.errors import NotFound
from notifier.domain.lanes import Lane
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
    config = request.app[CONFIG]
    facts = await read(request, facts_of, config.beat_fresh, config.lanes)
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


def facts_of(engine: Engine, beat_fresh: float, lanes: Sequence[Lane]) -> Facts:
    """What storage knows of these lanes; a beat older than `beat_fresh` seconds is nobody's any more."""
    ages = waiting.oldest_ages(engine, lanes)
    return Facts(workers.living(engine, beat_fresh), lane_controls.read(engine), ages)


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
    config = request.app[CONFIG]
    await read_nothing(request, config)
    lane = _lane(request)
    await read(request, set_paused, lane, paused, caller.key_id)
    facts = await read(request, facts_of, config.beat_fresh, config.lanes)
    return json_answer(lane_views.lane_document(facts, lane))


def _lane(request: web.Request) -> Lane:
    wanted = "{channel}.{priority}".format_map(request.match_info)
    found = [lane for lane in request.app[CONFIG].lanes if lane.name == wanted]
    if not found:
        raise NotFound
    return found[0]
