"""The door as an aiohttp application: which path leads to which handler."""

from collections.abc import AsyncIterator
from functools import partial

from aiohttp import web

from notifier.domain.unsubscribe import PATH
from notifier.http import (
    batch,
    console,
    console_sessions,
    dev,
    failures,
    health,
    lane_events,
    lanes,
    middlewares,
    notifications,
    openapi,
    operations,
    operator_events,
    providers,
    receipts,
    sending,
    suppressions,
    unsubscribe,
)
from notifier.http.auth import KeyRing
from notifier.http.body import Room
from notifier.http.config import HttpConfig
from notifier.http.health import HEALTH, Health
from notifier.http.lane_feed import LaneFeed
from notifier.http.offload import Offload
from notifier.http.parts import (
    CONFIG,
    FEED,
    KEYS,
    PARSING,
    PARTS,
    READS,
    RECEIPT_ROOM,
    RECEIPTS,
    ROOM,
    DoorParts,
)

#: What is not of our form is no notification's path at all, so that `batch` and `search` stay themselves.
_ID = "{id:ntf_[^{}/]*}"
_SUPPRESSION = "/v1/suppressions/{suppression:sup_[^{}/]*}"
_UNSUBSCRIBE = f"{PATH}{{token}}"
_LANE = "/v1/lanes/{channel}/{priority}"
_PROVIDER = "/v1/providers/{name}"


def routes(config: HttpConfig, *, with_dev: bool) -> list[web.RouteDef]:
    """Every path of the door; unknown ones are 404, other methods 405."""
    document = openapi.handler(config)
    found = [
        web.get("/", health.root),
        web.get("/health", health.readyz),
        web.get("/readyz", health.readyz),
        web.get("/livez", health.livez),
        web.get("/openapi.json", document),
        web.post("/v1/notifications", sending.create),
        web.get("/v1/notifications", notifications.listing),
        web.post("/v1/notifications/batch", batch.create),
        web.post("/v1/notifications/search", notifications.search),
        web.get(f"/v1/notifications/{_ID}", notifications.show),
        web.patch(f"/v1/notifications/{_ID}", notifications.not_built),
        web.post(f"/v1/notifications/{_ID}/cancel", notifications.cancel),
        web.post(f"/v1/notifications/{_ID}/resolve", notifications.resolve),
        web.get("/v1/failures", failures.listing),
        web.get("/v1/failures/summary", failures.summary),
        web.post("/v1/failures/replay", operations.replay),
        web.post("/v1/failures/discard", operations.discard),
        web.get("/v1/operations/{operation}", operations.show),
        web.post("/v1/operations/{operation}/cancel", operations.cancel),
        web.get("/v1/lanes", lanes.listing),
        web.get("/v1/lanes/events", lane_events.stream),
        web.post(f"{_LANE}/pause", lanes.pause),
        web.post(f"{_LANE}/resume", lanes.resume),
        web.get("/v1/workers", lanes.processes),
        web.get("/v1/operator-events", operator_events.listing),
        web.get("/v1/providers", providers.listing),
        web.post(f"{_PROVIDER}/disable", providers.disable),
        web.post(f"{_PROVIDER}/enable", providers.enable),
    ]
    found += [
        web.post("/v1/suppressions", suppressions.create),
        web.post("/v1/suppressions/search", suppressions.search),
        web.get(_SUPPRESSION, suppressions.show),
        web.delete(_SUPPRESSION, suppressions.remove),
    ]
    found += [
        web.get("/console", console.page("console.html")),
        web.get("/docs", console.page("docs.html")),
        web.get("/console/session", console_sessions.show),
        web.post("/console/session", console_sessions.log_in),
        web.delete("/console/session", console_sessions.log_out),
        web.post("/console/session/renew", console_sessions.renew),
        web.get("/console/{file}", console.asset),
    ]
    found += [web.get(_UNSUBSCRIBE, unsubscribe.ask), web.post(_UNSUBSCRIBE, unsubscribe.leave)]
    found.append(web.post("/v1/receipts/{provider}", receipts.take))
    if with_dev:
        found.append(web.get("/v1/dev/messages", dev.messages))
    return found


def build_app(parts: DoorParts, config: HttpConfig) -> web.Application:
    """The application, not yet listening; call it on the event loop that will run it."""
    around = [middlewares.follow, middlewares.measure, middlewares.explain]
    if parts.tracing is not None:
        from notifier.http.tracing import traced

        around.insert(0, traced(parts.tracing))
    app = web.Application(middlewares=around)
    reads = Offload(
        threads=config.read_threads, queue=config.read_queue, deadline=config.read_deadline, name="http-read"
    )
    app[CONFIG] = config
    app[PARTS] = parts
    app[READS] = reads
    app[PARSING] = Offload(threads=1, queue=16, deadline=config.body_deadline, name="http-parse")
    app[RECEIPTS] = Offload(
        threads=config.receipt_threads,
        queue=config.receipt_queue,
        deadline=config.receipt_deadline,
        name="http-receipt",
    )
    app[ROOM] = Room(config.large_bodies, config.body_deadline / 2)
    # Apart: who sends a receipt has shown no key yet, and must keep no caller waiting who has one.
    app[RECEIPT_ROOM] = Room(config.large_receipts, config.body_deadline / 2)
    app[KEYS] = KeyRing(parts.engine, reads, parts.sessions, parts.now, ttl=config.key_ttl)
    app[FEED] = LaneFeed(partial(lane_events.look, app), viewers=config.lane_viewers)
    app[HEALTH] = Health(parts, config)
    app.add_routes(routes(config, with_dev=parts.captured is not None))
    app.on_response_prepare.append(middlewares.dress)
    app.cleanup_ctx.append(_threads)
    return app


async def _threads(app: web.Application) -> AsyncIterator[None]:
    yield
    app[FEED].close()
    app[READS].close()
    app[PARSING].close()
    app[RECEIPTS].close()
    app[HEALTH].close()
