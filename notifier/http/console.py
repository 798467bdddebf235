"""`/console` and `/docs`: pages of static files, with nothing from elsewhere and nothing inline; no build makes them.

They use the public API alone. The policy that goes with each (W3C Content Security Policy 3) lets a browser load and
call only this origin, makes no script or style out of text (Trusted Types too), and lets nobody frame the page.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from aiohttp import hdrs, web

from notifier.domain.errors import NotFound
from notifier.http.queries import read_query

_FOLDER = Path(__file__).with_name("assets")
_KINDS = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
#: `no-cache`: kept, but asked about each time, so that a new version is seen at once.
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent."""

    body: bytes
    kind: str
    tag: str


@cache
def assets() -> dict[str, Asset]:
    """Every file by its name: a closed set, so that no path leads elsewhere."""
    return {path.name: _read(path) for path in sorted(_FOLDER.iterdir()) if path.suffix in _KINDS}


def page(name: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler of a page."""

    async def show(request: web.Request) -> web.StreamResponse:
        read_query(request, {})
        return _sent(request, assets()[name])

    return show


async def asset(request: web.Request) -> web.StreamResponse:
    """A script, a style sheet or a picture."""
    read_query(request, {})
    found = assets().get(request.match_info["file"])
    if found is None:
        raise NotFound
    return _sent(request, found)


def _sent(request: web.Request, found: Asset) -> web.Response:
    headers = {**_HEADERS, hdrs.ETAG: found.tag}
    known = (one.strip().removeprefix("W/") for one in request.headers.get(hdrs.IF_NONE_MATCH, "").split(","))
    if found.tag in known:
        return web.Response(status=304, headers=headers)
    return web.Response(body=found.body, content_type=found.kind, charset="utf-8", headers=headers)


def _read(path: Path) -> Asset:
    body = path.read_bytes()
    return Asset(body, _KINDS[path.suffix], f'"{hashlib.sha256(body).hexdigest()[:32]}"')
