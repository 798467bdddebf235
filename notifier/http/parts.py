"""What the door is given by `bootstrap`, and where a handler finds it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from aiohttp import web
from sqlalchemy import Engine

from notifier.domain.unsubscribe import UnsubscribeLinks
from notifier.feedback.receipts import ReceiptDesk
from notifier.http.auth import KeyRing
from notifier.http.body import Room
from notifier.http.callers import Caller
from notifier.http.compose import Asked
from notifier.http.config import HttpConfig
from notifier.http.lane_feed import LaneFeed
from notifier.http.offload import Offload
from notifier.http.sessions import Sessions
from notifier.intake.accept import Kept, Submission
from notifier.intake.quotas import TenantQuotas, no_quotas
from notifier.telemetry.tally import CLOSED, Tally

if TYPE_CHECKING:  # an extra
    from notifier.telemetry.tracing import Tracing


class Accepts(Protocol):
    """What keeps a checked request: the intake."""

    async def submit(self, submission: Submission, *, waited: float = 0.0) -> Kept:
        """Keep it durably, or raise; `waited` seconds of its time are gone already."""


def _never() -> bool:
    return False


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorParts:
    """The neighbours of the door. `now` is the present by the database's clock, as well as it is known.

    `broker_up` and `backlog_full` are asked on the event loop: they must answer from memory.
    `captured` gives the console provider's last messages; only `notifier dev` has it.
    """

    engine: Engine
    intake: Accepts
    now: Callable[[], datetime]
    broker_up: Callable[[], bool] = field(default=_always)
    backlog_full: Callable[[], bool] = field(default=_never)
    captured: Callable[[], Sequence[dict[str, Any]]] | None = None
    links: UnsubscribeLinks = field(default_factory=UnsubscribeLinks)
    quotas: TenantQuotas = field(default_factory=no_quotas)
    receipts: ReceiptDesk | None = None
    tally: Tally = CLOSED
    sessions: Sessions = field(default_factory=Sessions)
    tracing: "Tracing | None" = None


CONFIG = web.AppKey("config", HttpConfig)
PARTS = web.AppKey("parts", DoorParts)
READS = web.AppKey("reads", Offload)
RECEIPTS = web.AppKey("receipts", Offload)
PARSING = web.AppKey("parsing", Offload)
ROOM = web.AppKey("room", Room)
RECEIPT_ROOM = web.AppKey("receipt_room", Room)
KEYS = web.AppKey("keys", KeyRing)
FEED = web.AppKey("feed", LaneFeed)

#: What a request carries for the middlewares and the handlers.
CALLER = web.RequestKey("caller", Caller)
#: What the quick way (`quick`) has found out already: when the request began (`perf_counter`), why it was not kept.
BEGAN = web.RequestKey("began", float)
REFUSED = web.RequestKey("refused", Exception)
REQUEST_ID = web.RequestKey("request_id", str)
TRACEPARENT = web.RequestKey("traceparent", str)
#: The headers that tell what is left of the tenant's quota, where it has one.
QUOTA = web.RequestKey("quota", dict[str, str])
#: Seconds that a request has waited for storage: all its waits together have one bound (promise 9).
WAITED = web.RequestKey("waited", float)

Result = TypeVar("Result")


async def enter(request: web.Request, scope: str) -> Caller:
    """Who sent the request, if its key is valid and has the scope; raises `Problem`."""
    time = asyncio.get_running_loop().time
    began = time()
    caller = await request.app[KEYS].caller(request)
    request[CALLER], request[WAITED] = caller, time() - began
    caller.must_have(scope)
    return caller


async def read(request: web.Request, function: Callable[..., Result], *args: Any) -> Result:
    """What `function(engine, *args)` says within what is left of the request's time; raises `Unavailable`."""
    engine = request.app[PARTS].engine
    return await request.app[READS].run(function, engine, *args, waited=request[WAITED])


def asked_by(request: web.Request, caller: Caller) -> Asked:
    """What stands around one request."""
    return Asked(
        caller=caller,
        config=request.app[CONFIG],
        now=request.app[PARTS].now(),
        request_id=request[REQUEST_ID],
        traceparent=request.get(TRACEPARENT),
    )
