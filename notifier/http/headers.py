"""Headers that a request may bring: its id, its trace, its Idempotency-Key."""

import random
import re

from aiohttp import web

from notifier.domain.traces import parse_traceparent
from notifier.http.problems import Problem

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
_PRINTABLE = re.compile(r"[\x20-\x7e]{1,255}", re.ASCII)


def request_id_of(request: web.BaseRequest) -> str:
    """The caller's own id if it is a plain one, else a new one."""
    given = request.headers.get("X-Request-Id")
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given
    # No secret, so it need not ask the kernel: a busy door waits for the interpreter's lock after each such call.
    return f"{random.getrandbits(128):032x}"


def traceparent_of(request: web.BaseRequest) -> str | None:
    """The trace that the request is part of, as version 00, or None if it brings none that is valid."""
    given = request.headers.getall("traceparent", [])
    return parse_traceparent(given[0]) if len(given) == 1 else None


def idempotency_key_of(request: web.Request) -> str | None:
    """The Idempotency-Key, or None without one; raises `Problem` ``invalid_header``."""
    given = request.headers.getall("Idempotency-Key", [])
    if not given:
        return None
    if len(given) > 1 or not _PRINTABLE.fullmatch(given[0]):
        raise Problem(
            "invalid_header", "Idempotency-Key must be given once, 1 to 255 printable ASCII characters"
        )
    return given[0]
