"""API keys, and the console's sessions that stand for one: who may come in.

Any fault in a key gets the same 401 without detail, after the same work: one lookup (believed for
`ttl` seconds at most, unknown ids too) and one comparison in constant time. With storage away
nobody comes in (503).
"""

import asyncio
import hmac
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

import structlog
from aiohttp import web
from sqlalchemy import Engine

from notifier.domain.keys import key_hash, key_id_of, tenant_of
from notifier.http.callers import Caller
from notifier.http.offload import Offload
from notifier.http.problems import Problem
from notifier.http.sessions import Session, Sessions, session_of
from notifier.storage import api_keys
from notifier.storage.api_keys import KeyRow

log = structlog.get_logger()

#: Rows remembered at once, known and unknown ids together.
MAX_REMEMBERED = 10_000
#: How often at most a key's last use is written down, in seconds.
TOUCH_EVERY = 60.0
#: A key is 59 characters; nothing much longer is even looked at.
_MAX_HEADER = 200
_DUMMY = b"\x00" * 32


@dataclass(slots=True)
class _Found:
    row: "asyncio.Task[KeyRow | None]"
    until: float


class KeyRing:
    """Looks keys up, each id at most once every `ttl` seconds however many requests come with it."""

    def __init__(
        self, engine: Engine, reads: Offload, sessions: Sessions, now: Callable[[], datetime], *, ttl: float
    ) -> None:
        self._engine = engine
        self._reads = reads
        self._sessions = sessions
        self._now = now
        self._ttl = ttl
        self._found: OrderedDict[str, _Found] = OrderedDict()
        self._touched: dict[str, float] = {}
        self._touching: set[asyncio.Task[None]] = set()

    async def caller(self, request: web.Request) -> Caller:
        """Who sent the request; raises `Problem` ``unauthorized``, or ``forbidden`` for one of another site."""
        session = session_of(request)
        if session is None:
            return await self.caller_of(_bearer(request))
        row = await self._row(session.key_id)
        hashed = row.hash if row is not None else _DUMMY
        return self._let_in(row, self._sessions.good(session, hashed, now=self._now().timestamp()))

    async def caller_of(self, text: str | None) -> Caller:
        """Whose key this is; raises `Problem` ``unauthorized``."""
        key_id = key_id_of(text) if text is not None else None
        if text is None or key_id is None:
            _refuse("malformed")
        row = await self._row(key_id)
        return self._let_in(row, hmac.compare_digest(key_hash(text), row.hash if row is not None else _DUMMY))

    async def session_for(self, key_id: str, *, now: float, began: int | None = None) -> Session:
        """A session of a key that has just been let in."""
        row = await self._row(key_id)
        if row is None:
            _refuse("unknown")
        return self._sessions.issue(row.id, row.hash, now=now, began=began)

    def _let_in(self, row: KeyRow | None, matches: bool) -> Caller:
        if row is None or not matches:
            _refuse("unknown")
        if row.revoked_at is not None:
            _refuse("revoked")
        if row.expired:
            _refuse("expired")
        self._touch(row.id)
        return Caller(
            key_id=row.id,
            tenant=tenant_of(row.tenant, row.mode),
            mode=row.mode,
            scopes=row.scopes,
            channels=row.channels,
            highest_priority=row.highest_priority,
        )

    async def _row(self, key_id: str) -> KeyRow | None:
        """The key's row, from memory or from storage; one lookup serves all who wait for it."""
        time = asyncio.get_running_loop().time()
        found = self._found.get(key_id)
        if found is None or found.until <= time or _failed(found.row):
            lookup = asyncio.ensure_future(self._reads.run(api_keys.find, self._engine, key_id))
            lookup.add_done_callback(_look_at_error)
            found = self._found[key_id] = _Found(lookup, time + self._ttl)
            self._found.move_to_end(key_id)
            while len(self._found) > MAX_REMEMBERED:
                self._found.popitem(last=False)
        return await asyncio.shield(found.row)

    def _touch(self, key_id: str) -> None:
        """Have storage remember that the key is in use: once a minute, and nobody waits for it."""
        time = asyncio.get_running_loop().time()
        if self._touched.get(key_id, -TOUCH_EVERY) + TOUCH_EVERY <= time:
            self._touched[key_id] = time
            touching = asyncio.ensure_future(self._reads.run(api_keys.touch, self._engine, key_id))
            self._touching.add(touching)
            touching.add_done_callback(self._touching.discard)
            touching.add_done_callback(_look_at_error)


def _failed(row: "asyncio.Task[KeyRow | None]") -> bool:
    return row.done() and (row.cancelled() or row.exception() is not None)


def _look_at_error(row: "asyncio.Task[Any]") -> None:
    """Every waiter gets the error; looking at it here says that it is not forgotten."""
    if not row.cancelled():
        row.exception()


def _bearer(request: web.Request) -> str | None:
    given = request.headers.getall("Authorization", [])
    if len(given) != 1 or len(given[0]) > _MAX_HEADER:
        return None
    scheme, _, text = given[0].partition(" ")
    return text.strip() if scheme.lower() == "bearer" else None


def _refuse(reason: str) -> NoReturn:
    log.warning("auth_failed", reason=reason)
    raise Problem("unauthorized", headers={"WWW-Authenticate": 'Bearer realm="notifier"'})
