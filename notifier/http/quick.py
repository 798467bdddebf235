"""The usual `POST /v1/notifications` without the application around it, which is half of what a request costs.

It takes only what has nothing unusual about it: one whole JSON body, a key that was looked up a moment ago, a
notification that is right. All else goes the ordinary way (`app`) from its beginning, and so does every refusal, for
that way explains. Both check, keep, answer, log and count the same; a test holds their answers side by side.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from functools import lru_cache
from typing import Any

import structlog
from aiohttp import hdrs, web

from notifier.domain.errors import InvalidFields, NotifierError
from notifier.domain.notification import NewNotification
from notifier.domain.recipients import EmailAddress
from notifier.domain.traces import trace_id
from notifier.http import sending
from notifier.http.body import BODY
from notifier.http.callers import Caller
from notifier.http.compose import Asked
from notifier.http.headers import idempotency_key_of, request_id_of, traceparent_of
from notifier.http.health import HEALTH
from notifier.http.middlewares import HEADERS
from notifier.http.parts import BEGAN, CONFIG, KEYS, PARTS, REFUSED
from notifier.http.problems import Problem
from notifier.intake.accept import Kept, Submission
from notifier.telemetry.logs import log_clean
from notifier.telemetry.metrics import REQUEST_SECONDS, REQUESTS
from notifier.telemetry.redaction import clean

log = structlog.get_logger()
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PATH = "/v1/notifications"
_JSON = ["application/json"]
_COUNTED, _TIMED = (PATH, "POST", "202"), (PATH,)
#: Headers of which any other meaning than the usual one may follow.
_UNUSUAL = (hdrs.CONTENT_ENCODING, hdrs.EXPECT, hdrs.UPGRADE)


class QuickDoor:
    """What the server calls with a request: answers the usual one itself and hands on any other."""

    def __init__(self, app: web.Application, ordinary: Handler) -> None:
        self._ordinary = ordinary
        self._config, self._parts, self._keys, self._health = app[CONFIG], app[PARTS], app[KEYS], app[HEALTH]
        self._on = self._parts.tracing is None

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """The answer to a request."""
        if not self._on or request.raw_path != PATH or request.method != hdrs.METH_POST:
            return await self._ordinary(request)
        began = time.perf_counter()
        caller = self._caller(request)
        if caller is None:
            return await self._ordinary(request)
        asked = Asked(
            caller=caller,
            config=self._config,
            now=self._parts.now(),
            request_id=request_id_of(request),
            traceparent=traceparent_of(request),
        )
        body = request.content.read_nowait()
        found = _read(body, asked)
        if found is None:
            request[BODY], request[BEGAN] = body, began
            return await self._ordinary(request)
        return await self._keep(request, asked, found, body, began)

    def _caller(self, request: web.Request) -> Caller | None:
        """Who sends a request that is usual, as far as its head and this moment tell; None for any other."""
        headers = request.headers
        given = headers.getall(hdrs.AUTHORIZATION, [])
        length = headers.get(hdrs.CONTENT_LENGTH, "")
        if (
            len(given) != 1
            or headers.getall(hdrs.CONTENT_TYPE, []) != _JSON
            or any(name in headers for name in _UNUSUAL)
            or not length.isdecimal()
            or int(length) > self._config.body_limit
            or not request.content.is_eof()
            or not request.keep_alive
            or self._health.draining
        ):
            return None
        caller = self._keys.remembered(given[0])
        if caller is None or not caller.may("send") or self._parts.quotas.limits(caller.tenant):
            return None
        return caller

    async def _keep(
        self, request: web.Request, asked: Asked, new: NewNotification, body: bytes, began: float
    ) -> web.StreamResponse:
        try:
            key = idempotency_key_of(request)
            submission = Submission(
                notifications=(new,),
                tenant=asked.caller.tenant,
                api_key=asked.caller.key_id,
                route=sending.ROUTE,
                idempotency_key=key,
                # Only a key is ever compared by it.
                body_hash=sending.digest_of(body, {}) if key else b"",
                respond=lambda stored: sending.answer_of(stored[0], new),
            )
            kept = await self._parts.intake.submit(submission)
        except (NotifierError, Problem) as error:
            request[REFUSED], request[BODY], request[BEGAN] = error, body, began
            return await self._ordinary(request)
        self._note(asked, time.perf_counter() - began)
        return QuickAnswer(kept, asked.request_id, last=self._health.draining)

    def _note(self, asked: Asked, seconds: float) -> None:
        tally = self._parts.tally
        tally.add(REQUESTS, _COUNTED)
        tally.add(REQUEST_SECONDS, _TIMED, seconds)
        facts: dict[str, Any] = {
            "method": hdrs.METH_POST,
            "route": PATH,
            "status": 202,
            "duration_ms": round(seconds * 1000, 2),
            "tenant": _clean(asked.caller.tenant),
            "key_id": _clean(asked.caller.key_id),
            "request_id": clean(asked.request_id),
        }
        if asked.traceparent is not None:
            facts["trace_id"] = trace_id(asked.traceparent)
        if not log_clean("http_request", facts):
            log.info("http_request", **facts)


#: For the few words that every line of a caller's has.
_clean = lru_cache(maxsize=256)(clean)


def _read(body: bytes, asked: Asked) -> NewNotification | None:
    """The notification in `body`; None for one that is wrong or worth a word."""
    try:
        new = sending.read_notification(body, asked)
    except (InvalidFields, Problem):
        return None
    return None if isinstance(new.recipient, EmailAddress) and new.recipient.mixed_script else new


class QuickAnswer(web.StreamResponse):
    """202 as bytes, written at once."""

    def __init__(self, kept: Kept, request_id: str, *, last: bool) -> None:
        # Not the library's: it makes headers, a state and a writer for an answer that is still to be made.
        self._keep_alive = not last
        self._status, self._reason = 202, "Accepted"
        self._kept = kept
        self._id = request_id

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write the whole answer."""
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the caller has left")
        head = _head(self._kept, self._id, last=not self._keep_alive)
        transport.write(head + self._kept.answer)
        await request.writer.drain()

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing: it is written."""


def _head(kept: Kept, request_id: str, *, last: bool) -> bytes:
    replayed = _REPLAYED if kept.replayed else ""
    return (
        f"HTTP/1.1 202 Accepted\r\nLocation: {sending.location_of(kept)}\r\n{replayed}{_ALWAYS}"
        f"Content-Length: {len(kept.answer)}\r\nDate: {_date(int(time.time()))}\r\nX-Request-Id: {request_id}\r\n"
        f"{_LAST if last else ''}\r\n"
    ).encode()


def _lines(headers: Mapping[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


_ALWAYS = _lines({"Content-Type": "application/json", **HEADERS})
_REPLAYED = _lines(sending.REPLAYED)
_LAST = _lines({"Connection": "close"})


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
