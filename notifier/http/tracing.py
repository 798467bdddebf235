"""A span for each request, between its caller's and what its notification goes on with.

Named and described by OpenTelemetry's HTTP conventions (https://opentelemetry.io/docs/specs/semconv/http/http-spans/) but for
what might hold an address or a token: neither path nor query, neither the caller's address nor a header.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aiohttp import hdrs, web

from notifier.http.headers import traceparent_of
from notifier.http.parts import CALLER, TRACEPARENT
from notifier.telemetry.tracing import SpanKind, Tracing, end, traceparent

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
#: Asked every few seconds by machines.
_PROBES = frozenset({"/livez", "/readyz"})


def traced(tracing: Tracing) -> Any:
    """The outermost middleware of a door that traces."""

    @web.middleware
    async def trace(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        route = None if resource is None else resource.canonical
        if route in _PROBES:
            return await handler(request)
        method = request.method if request.method in hdrs.METH_ALL else "_OTHER"
        given = traceparent_of(request)
        facts = {"http.request.method": method, "url.scheme": request.scheme}
        if route is not None:
            facts["http.route"] = route
        span = tracing.begin(
            f"{'HTTP' if method == '_OTHER' else method}{'' if route is None else f' {route}'}",
            SpanKind.SERVER,
            given,
            facts,
        )
        goes_on = traceparent(span) or given
        if goes_on is not None:
            request[TRACEPARENT] = goes_on
        error: str | None = "cancelled"
        try:
            answer = await handler(request)
            span.set_attribute("http.response.status_code", answer.status)
            failed = answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            error = str(answer.status) if failed else None
        finally:
            caller = request.get(CALLER)
            if caller is not None:
                span.set_attributes({"notifier.tenant": caller.tenant, "notifier.key_id": caller.key_id})
            end(span, error)
        return answer

    return trace
