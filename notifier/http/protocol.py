"""One connection: aiohttp's handler with the deadlines and manners it lacks.

Stock aiohttp 3.14 waits for ever for headers that never end, names its version, and answers a broken
request with the bytes that broke it.
"""

import asyncio
import socket
from typing import Any, Protocol
from uuid import uuid4

import structlog
from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from notifier.http.framing import is_faulty
from notifier.http.headers import request_id_of
from notifier.http.middlewares import HEADERS
from notifier.http.problems import CONTENT_TYPE, Problem, problem_of_http

log = structlog.get_logger()

#: A peer that takes in nothing for this long, in milliseconds, has its connection closed by the kernel.
_UNREAD_LIMIT = 30_000


class BareResponse(web.Response):
    """A response for requests that never reached the application, without the server's version."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.popall("Server", None)


class Ledger(Protocol):
    """What the server keeps of its connections."""

    def used(self, handler: "DoorProtocol") -> None:
        """The connection has just begun a request."""


class DoorProtocol(RequestHandler):
    """A connection whose headers must be whole within `header_deadline` seconds of their first byte.

    A new connection must also have begun a request by then.
    """

    def __init__(self, manager: Any, *, header_deadline: float, **kwargs: Any) -> None:
        super().__init__(manager, **kwargs)
        self._header_deadline = header_deadline
        self._header_timer: asyncio.TimerHandle | None = None
        self._door: Ledger = manager

    @property
    def idle(self) -> bool:
        """Whether no request is being served or waits to be."""
        return self._current_request is None and not self._messages and not self._request_in_progress

    @property
    def expecting(self) -> bool:
        """Whether the first request has not begun, or one that has begun has not got all its headers."""
        return self._header_timer is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        _limit_unread(transport)
        self._begin_headers()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._end_headers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before = self._request_count
        super().data_received(data)
        if self._request_count != before:
            self._refuse_faulty()
            self._end_headers()
            self._door.used(self)
        elif data and self._header_timer is None and self.idle:
            self._begin_headers()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A problem document for what never reached a handler; nothing of the request is repeated."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        request_id = request_id_of(request)
        if status >= web.HTTPInternalServerError.status_code:
            event_id = uuid4().hex
            log.error("http_unforeseen", event_id=event_id, error=type(exc).__name__, request_id=request_id)
            problem = Problem("internal_error", extra={"event_id": event_id})
        else:
            log.info("http_bad_framing", error=type(exc).__name__, request_id=request_id)
            problem = _of_framing(exc)
        return _bare(problem, request_id)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send the answer; a stock one that no middleware saw (an unknown Expect) becomes a problem first."""
        if isinstance(resp, web.HTTPException):
            resp = _bare(problem_of_http(resp), request_id_of(request))
        return await super().finish_response(request, resp, start_time)

    def log_exception(self, *_args: Any, **kw: Any) -> None:
        """What aiohttp would log with values in it: the error's kind is enough."""
        log.error("http_connection_failed", event_id=uuid4().hex, error=type(kw.get("exc_info")).__name__)

    def _refuse_faulty(self) -> None:
        """Put an error in the place of each waiting request with a head that its parser should not have taken."""
        for place, (message, _) in enumerate(self._messages):
            if isinstance(message, RawRequestMessage) and is_faulty(message):
                error = BadHttpMessage("a faulty head")
                self._messages[place] = (_ErrInfo(status=error.code, exc=error, message=""), EMPTY_PAYLOAD)

    def _begin_headers(self) -> None:
        self._header_timer = self._loop.call_later(self._header_deadline, self._headers_late)

    def _end_headers(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _headers_late(self) -> None:
        self._header_timer = None
        if self.idle:
            log.info("http_headers_late")
            self.force_close()


def _of_framing(error: BaseException | None) -> Problem:
    text = str(error).lower() if isinstance(error, Exception) else ""
    if isinstance(error, LineTooLong) or "too many headers" in text:
        return Problem("headers_too_large")
    return Problem("bad_request")


def _bare(problem: Problem, request_id: str) -> web.Response:
    made = problem.response(request_id)
    answer = BareResponse(
        status=made.status,
        body=made.body,
        content_type=CONTENT_TYPE,
        headers={**HEADERS, "X-Request-Id": request_id},
    )
    answer.force_close()
    return answer


def _limit_unread(transport: asyncio.BaseTransport) -> None:
    raw = transport.get_extra_info("socket")
    if raw is not None and hasattr(socket, "TCP_USER_TIMEOUT") and raw.family != socket.AF_UNIX:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_LIMIT)
