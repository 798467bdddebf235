"""Around every request: its id and trace, one log line, safe headers, and every error as a problem."""

import time
from collections.abc import Awaitable, Callable
from uuid import uuid4

import structlog
from aiohttp import hdrs, web

from notifier.domain.errors import NotifierError
from notifier.domain.traces import trace_id
from notifier.http.headers import request_id_of, traceparent_of
from notifier.http.health import HEALTH
from notifier.http.parts import BEGAN, CALLER, PARTS, QUOTA, REQUEST_ID, TRACEPARENT
from notifier.http.problems import Problem, problem_of, problem_of_http
from notifier.telemetry.metrics import REQUEST_SECONDS, REQUESTS
from notifier.telemetry.places import places_of

log = structlog.get_logger()
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: On every answer. Caching is off: whatever is told may be different the next moment. Static files say otherwise.
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
#: The type of an answer that goes on (Server-Sent Events).
STREAMED = "text/event-stream"
#: Methods that no path here has or will have.
_NEVER = frozenset({"PUT", "TRACE", "CONNECT"})
_USUAL = ("GET", "HEAD", "POST")


@web.middleware
async def follow(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Name the request, log it once when it has ended, and bind its id to whatever is logged meanwhile."""
    request[REQUEST_ID] = request_id_of(request)
    if TRACEPARENT not in request and (trace := traceparent_of(request)) is not None:
        request[TRACEPARENT] = trace
    began = _began(request)
    with structlog.contextvars.bound_contextvars(**_names(request)):
        answer = await handler(request)
        caller = request.get(CALLER)
        log.info(
            "http_request",
            method=_method(request),
            route=_route(request),
            status=answer.status,
            duration_ms=round((time.perf_counter() - began) * 1000, 2),
            tenant=caller.tenant if caller else None,
            key_id=caller.key_id if caller else None,
        )
    return answer


@web.middleware
async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count the request and time it, by the path's template, never by the path nor its query."""
    tally = request.app[PARTS].tally
    began = _began(request)
    answer = await handler(request)
    route, method = _route(request), _method(request)
    tally.add(REQUESTS, (route, method, str(answer.status)))
    if answer.content_type != STREAMED:  # it lasts as long as somebody looks
        tally.add(REQUEST_SECONDS, (route,), time.perf_counter() - began)
    return answer


@web.middleware
async def explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into its problem document; what nobody foresaw is a 500 with an event id."""
    try:
        return await handler(request)
    except Problem as found:
        problem = found
    except NotifierError as error:
        problem = problem_of(error)
        if problem.status == web.HTTPInternalServerError.status_code:
            problem = _unforeseen(error)
    except web.HTTPException as error:
        problem = _of_routing(request, error)
    except Exception as error:  # noqa: BLE001 - the last resort (OWASP ASVS 5.0, 16.5.4)
        problem = _unforeseen(error)
    return problem.response(request[REQUEST_ID])


async def dress(request: web.Request, answer: web.StreamResponse) -> None:
    """Give every answer its headers, and take away the one that names the server's version."""
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)
    answer.headers.update(request.get(QUOTA, {}))
    answer.headers.popall("Server", None)
    if "X-Request-Id" not in answer.headers:  # what never met a middleware was given its id with its body
        answer.headers["X-Request-Id"] = request.get(REQUEST_ID) or request_id_of(request)
    if request.app[HEALTH].draining:
        answer.force_close()
        answer.headers["Connection"] = "close"


def _began(request: web.Request) -> float:
    return request.get(BEGAN) or time.perf_counter()


def _names(request: web.Request) -> dict[str, str]:
    """What every line about this request says."""
    trace = trace_id(request.get(TRACEPARENT))
    names = {"request_id": request[REQUEST_ID]}
    return names if trace is None else {**names, "trace_id": trace}


def _of_routing(request: web.Request, error: web.HTTPException) -> Problem:
    if isinstance(error, web.HTTPNotFound) and request.method in _NEVER:
        error = web.HTTPMethodNotAllowed(request.method, _USUAL)
    return problem_of_http(error)


def _unforeseen(error: Exception) -> Problem:
    """A 500 that says only which log line to look for; the log has no text of the error's values."""
    event_id = uuid4().hex
    log.error("http_unforeseen", event_id=event_id, error=type(error).__name__, where=places_of(error))
    return Problem("internal_error", extra={"event_id": event_id})


def _method(request: web.Request) -> str:
    """The method, from a closed set too."""
    return request.method if request.method in hdrs.METH_ALL else "other"


def _route(request: web.Request) -> str:
    """The path's template, from a closed set: a path itself might hold anything."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unknown"
