"""Reading a body: of the right type, whole within a deadline, never larger than its limit.

A request with attachments may be larger than others, so there is room for only a few such bodies at once: the rest
wait, unread.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
from aiohttp import web

from notifier.http.config import HttpConfig
from notifier.http.problems import Problem

JSON = "application/json"
NDJSON = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})

#: The body as it came, where it was read already.
BODY = web.RequestKey("body", bytes)

Beyond = tuple[int, Callable[[], Awaitable[None]]]

#: What zlib is told of each coding (RFC 9110, 8.4.1): gzip's own wrapper, or zlib's.
_WINDOW = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


async def read_json(request: web.Request, config: HttpConfig) -> bytes:
    """The body of a JSON request; raises `Problem`."""
    check_type(request, frozenset({JSON}))
    return await read_body(request, limit=config.body_limit, deadline=config.body_deadline)


class Room:
    """For bodies above the usual limit: `places` at once in this process; waiting for one takes `patience` seconds."""

    def __init__(self, places: int, patience: float) -> None:
        self._places = asyncio.Semaphore(places)
        self._patience = patience

    async def take(self, stack: AsyncExitStack) -> None:
        """Have a place until `stack` is left; raises `Problem` ``unavailable``."""
        try:
            async with asyncio.timeout(self._patience):
                await self._places.acquire()
        except TimeoutError:
            detail = "too many large requests are being read; try again"
            raise Problem("unavailable", detail, headers={"Retry-After": "2"}, close=True) from None
        stack.callback(self._places.release)


async def read_large_json(
    request: web.Request, config: HttpConfig, room: Room, stack: AsyncExitStack
) -> bytes:
    """The body of a JSON request that may hold attachments; raises `Problem`.

    Beyond the usual limit it takes a place in `room`, held until `stack` is left.
    """
    check_type(request, frozenset({JSON}))
    most = max(config.body_limit, config.attachments_limit)
    return await read_within_room(
        request, usual=config.body_limit, most=most, deadline=config.body_deadline, room=room, stack=stack
    )


async def read_within_room(
    request: web.Request, *, usual: int, most: int, deadline: float, room: Room, stack: AsyncExitStack
) -> bytes:
    """A body of at most `most` bytes, of any type; beyond `usual` it takes a place in `room`. Raises `Problem`."""
    if _is_packed(request):
        # How large it is shows only when it is unpacked.
        await room.take(stack)
    return await read_body(
        request, limit=max(usual, most), deadline=deadline, beyond=(usual, lambda: room.take(stack))
    )


async def read_nothing(request: web.Request, config: HttpConfig) -> None:
    """Make sure that a request which needs no body has none, or ``{}``; raises `Problem`."""
    if not request.body_exists:
        return
    body = await read_body(request, limit=config.body_limit, deadline=config.body_deadline)
    if body.strip() not in {b"", b"{}"}:
        raise Problem("invalid_json", "this takes no body")


def check_type(request: web.Request, allowed: frozenset[str]) -> str:
    """The media type of the body; raises `Problem` ``unsupported_media_type`` unless it is allowed."""
    given = request.headers.getall("Content-Type", [])
    media_type = request.content_type.lower() if len(given) == 1 else ""
    charset = (request.charset or "utf-8").lower() if media_type else ""
    if media_type not in allowed or charset not in {"utf-8", "utf8"}:
        raise Problem(
            "unsupported_media_type",
            f"the Content-Type must be {' or '.join(sorted(allowed))}, in UTF-8",
            headers={"Accept": ", ".join(sorted(allowed))},
        )
    return media_type


async def read_body(
    request: web.Request, *, limit: int, deadline: float, beyond: Beyond | None = None
) -> bytes:
    """The bytes of the body, unpacked if they came packed; raises `Problem`.

    `beyond` is a size and what is awaited once, before more than that is read.

    A Content-Length above the limit is answered at once. Reading stops at the limit, so neither a
    chunked body nor a packed one can take more memory than that.
    """
    if request.content_length is not None and request.content_length > limit:
        raise too_large(limit)
    unpack = _unpacker(request, limit)
    if BODY in request:
        return unpack(request[BODY])
    try:
        async with asyncio.timeout(deadline):
            packed = await _read_within(request, limit, beyond)
    except TimeoutError:
        raise Problem("request_timeout", f"the body must arrive within {deadline:g} s", close=True) from None
    except (aiohttp.ClientPayloadError, aiohttp.http_exceptions.HttpProcessingError, web.RequestPayloadError):
        raise Problem("bad_request", "the body is not framed as its headers say", close=True) from None
    except ConnectionError:
        # Nobody is left to read this; it is no fault of ours either, so it must not look like one.
        raise Problem("bad_request", "the connection ended before the body did", close=True) from None
    return unpack(packed)


async def _read_within(request: web.Request, limit: int, beyond: Beyond | None) -> bytes:
    found = bytearray()
    while chunk := await request.content.readany():
        found += chunk
        if len(found) > limit:
            raise too_large(limit)
        if beyond is not None and len(found) > beyond[0]:
            ask, beyond = beyond[1], None
            if not _is_packed(request):
                await ask()
    return bytes(found)


def _is_packed(request: web.Request) -> bool:
    return bool(request.headers.get("Content-Encoding"))


def _unpacker(request: web.Request, limit: int) -> Callable[[bytes], bytes]:
    """How to unpack the body; raises `Problem` ``unsupported_content_encoding``."""
    codings = [
        coding.strip().lower()
        for value in request.headers.getall("Content-Encoding", [])
        for coding in value.split(",")
    ]
    codings = [coding for coding in codings if coding != "identity"]
    if not codings:
        return bytes
    if len(codings) > 1 or codings[0] not in _WINDOW:
        raise Problem(
            "unsupported_content_encoding",
            "the Content-Encoding must be gzip, deflate or identity",
            headers={"Accept-Encoding": "gzip, deflate, identity"},
        )
    window = _WINDOW[codings[0]]
    return lambda packed: _unpacked(packed, window, limit)


def _unpacked(packed: bytes, window: int, limit: int) -> bytes:
    stream = zlib.decompressobj(window)
    try:
        found = stream.decompress(packed, limit + 1)
    except zlib.error:
        raise Problem("bad_request", "the body is not packed as its Content-Encoding says") from None
    if len(found) > limit:
        raise too_large(limit)
    if not stream.eof or stream.unused_data:
        raise Problem("bad_request", "the body is not packed as its Content-Encoding says")
    return found


def too_large(limit: int, what: str = "the body") -> Problem:
    return Problem("body_too_large", f"{what} must be at most {limit} bytes", close=True)
