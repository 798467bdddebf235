"""`/`, `/livez`, `/readyz` and `/health`: honest, and cheap to ask (promise 16).

`/livez` says only that this process's loop turns. `/readyz` says whether the door can accept and
durably store right now; without the broker it can, so that is only `degraded`.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from sqlalchemy import Engine

from notifier.http.answers import json_answer
from notifier.http.config import HttpConfig
from notifier.http.offload import Offload
from notifier.http.parts import CONFIG, DoorParts
from notifier.http.queries import flag, read_query
from notifier.storage import health

#: With what is cached this stays below the two seconds of promise 16.
_DEADLINE = 1.0


@dataclass(frozen=True, slots=True)
class Report:
    """What can be done right now: each check by name."""

    checks: dict[str, bool]
    degraded: list[str] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        """Whether the door can accept."""
        return all(self.checks.values())


class Health:
    """Asks storage in a thread of its own, so that busy readers never make it wait."""

    def __init__(self, parts: DoorParts, config: HttpConfig) -> None:
        self._parts = parts
        self._ttl = config.health_ttl
        self._offload = Offload(threads=1, queue=2, deadline=_DEADLINE, name="http-health")
        self._storage: tuple[float, dict[str, bool]] = (-1.0, {})
        self._asking = asyncio.Lock()
        self.draining = False

    async def report(self) -> Report:
        """The state of this moment; what storage said is believed for `health_ttl` seconds."""
        if self.draining:
            return Report({"serving": False})
        checks = {"serving": True, **await self._stored(), "room": not self._parts.backlog_full()}
        return Report(checks, [] if self._parts.broker_up() else ["broker"])

    def close(self) -> None:
        """Let the thread go."""
        self._offload.close()

    async def _stored(self) -> dict[str, bool]:
        async with self._asking:
            now = asyncio.get_running_loop().time()
            until, checks = self._storage
            if now >= until:
                checks = await self._ask()
                self._storage = (asyncio.get_running_loop().time() + self._ttl, checks)
            return checks

    async def _ask(self) -> dict[str, bool]:
        try:
            migrated = await self._offload.run(_look, self._parts.engine)
        except Exception:  # noqa: BLE001 - whatever it is, nothing can be stored
            return {"database": False}
        return {"database": True, "migrations": migrated}


def _look(engine: Engine) -> bool:
    health.ping(engine)
    return health.at_head(engine)


HEALTH = web.AppKey("health", Health)


async def readyz(request: web.Request) -> web.Response:
    """200 when notifications can be accepted, else 503; `?verbose` shows each check."""
    query = read_query(request, {"verbose": _verbose})
    report = await request.app[HEALTH].report()
    body: dict[str, Any] = {
        "status": "ready" if report.ready else "not_ready",
        "degraded": report.degraded,
    }
    if query.get("verbose"):
        body["checks"] = {name: "ok" if good else "failed" for name, good in report.checks.items()}
    return json_answer(body, status=200 if report.ready else 503)


async def livez(request: web.Request) -> web.Response:
    """200 as long as the loop turns; asks nobody."""
    read_query(request, {})
    return json_answer({"status": "alive"})


async def root(request: web.Request) -> web.Response:
    """What this is and where to go."""
    read_query(request, {})
    links = {
        "console": "/console",
        "docs": "/docs",
        "openapi": "/openapi.json",
        "health": "/health",
        "notifications": "/v1/notifications",
    }
    return json_answer({"name": "notifier", "version": request.app[CONFIG].version, "links": links})


def _verbose(text: str) -> bool:
    """A bare `?verbose` means yes."""
    return text == "" or flag(text)
