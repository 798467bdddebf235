"""API keys, and the console's sessions that stand for one: who may come in.

Any fault in a key gets the same 401 without detail, after the same work: one lookup (believed for
`ttl` seconds at most, unknown ids too) and one comparison in constant time. With storage away
nobody comes in (503).
"""

import asyncio
import hmac
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import NoReturn

import structlog
from aiohttp import web
from sqlalchemy import Engine

from notifier.domain.keys import key_hash, key_id_of, tenant_of
from notifier.http.callers import Caller
from notifier.http.lookups import MAX_REMEMBERED, Answer, Lookups, look_at_error
from notifier.http.offload import Offload
from notifier.http.problems import Problem
from notifier.http.sessions import LONGEST, Session, Sessions, session_of
from notifier.storage import api_keys, ended_sessions
from notifier.storage.api_keys import KeyRow

log = structlog.get_logger()

#: How often at most a key's last use is written down, in seconds.
TOUCH_EVERY = 60.0
#: A key is 59 characters; nothing much longer is even looked at.
_MAX_HEADER = 200
_DUMMY = b"\x00" * 32
_BEARER = "Bearer "
_NOBODY = (None, None)


class KeyRing:
    """Looks keys up, each id at most once every `ttl` seconds however many requests come with it."""

    def __init__(
        self, engine: Engine, reads: Offload, sessions: Sessions, now: Callable[[], datetime], *, ttl: float
    ) -> None:
        self._engine = engine
        self._reads = reads
        self._sessions = sessions
        self._now = now
        self._rows: Lookups[KeyRow | None] = Lookups(api_keys.find, engine, reads, ttl=ttl)
        self._ended = Lookups(ended_sessions.is_ended, engine, reads, ttl=ttl)
        #: By the digest of the key; a caller is one for as long as the answer that let him in is believed.
        self._callers: OrderedDict[bytes, tuple[Caller, Answer[KeyRow | None]]] = OrderedDict()
        self._touched: dict[str, float] = {}
        self._touching: set[asyncio.Task[None]] = set()

    async def caller(self, request: web.Request) -> Caller:
        """Who sent the request; raises `Problem` ``unauthorized``, or ``forbidden`` for one of another site."""
        session = session_of(request)
        if session is None:
            return await self.caller_of(_bearer(request))
        row = await self._rows.of(session.key_id)
        good = self._sessions.good(session, _hash_of(row), now=self._now().timestamp())
        # Asked about those alone that were made here: nobody else chooses what is looked up.
        return self._let_in(row, good and not await self._ended.of(session.id))

    async def caller_of(self, text: str | None) -> Caller:
        """Whose key this is; raises `Problem` ``unauthorized``."""
        key_id = key_id_of(text) if text is not None else None
        if text is None or key_id is None:
            _refuse("malformed")
        row = await self._rows.of(key_id)
        hashed = key_hash(text)
        caller, answer = (
            self._let_in(row, hmac.compare_digest(hashed, _hash_of(row))),
            self._rows.latest(key_id),
        )
        if answer is not None:
            self._callers[hashed] = caller, answer
            while len(self._callers) > MAX_REMEMBERED:
                self._callers.popitem(last=False)
        return caller

    def remembered(self, header: str) -> Caller | None:
        """Who was let in with this Authorization and may still be believed, without a lookup; None for anybody else."""
        if not header.startswith(_BEARER) or len(header) > _MAX_HEADER:
            return None
        # Found by the key's digest: how long the search takes tells nothing of the key.
        caller, answer = self._callers.get(key_hash(header[len(_BEARER) :]), _NOBODY)
        if caller is None or answer is None or not self._rows.holds(caller.key_id, answer):
            return None
        self._touch(caller.key_id)
        return caller

    async def end(self, session: Session) -> bool:
        """Let nobody in with it or a renewed copy: here at once, elsewhere within `ttl`. False if it was not made here.

        Its own time may be over: somebody may have renewed a copy.
        """
        row = await self._rows.of(session.key_id)
        if not self._sessions.genuine(session, _hash_of(row)):
            return False
        await self._reads.run(ended_sessions.end, self._engine, session.id, float(LONGEST))
        self._ended.forget(session.id)
        return True

    async def session_for(self, key_id: str, *, now: float, former: Session | None = None) -> Session:
        """A session of a key that has just been let in; it goes on from `former`."""
        row = await self._rows.of(key_id)
        if row is None:
            _refuse("unknown")
        return self._sessions.issue(row.id, row.hash, now=now, former=former)

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

    def _touch(self, key_id: str) -> None:
        """Have storage remember that the key is in use: once a minute, and nobody waits for it."""
        time = asyncio.get_running_loop().time()
        if self._touched.get(key_id, -TOUCH_EVERY) + TOUCH_EVERY <= time:
            self._touched[key_id] = time
            touching = asyncio.ensure_future(self._reads.run(api_keys.touch, self._engine, key_id))
            self._touching.add(touching)
            touching.add_done_callback(self._touching.discard)
            touching.add_done_callback(look_at_error)


def _hash_of(row: KeyRow | None) -> bytes:
    return row.hash if row is not None else _DUMMY


def _bearer(request: web.Request) -> str | None:
    given = request.headers.getall("Authorization", [])
    if len(given) != 1 or len(given[0]) > _MAX_HEADER:
        return None
    scheme, _, text = given[0].partition(" ")
    return text.strip() if scheme.lower() == "bearer" else None


def _refuse(reason: str) -> NoReturn:
    log.warning("auth_failed", reason=reason)
    raise Problem("unauthorized", headers={"WWW-Authenticate": 'Bearer realm="notifier"'})
