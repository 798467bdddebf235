"""`/console/session`: a key is given once and a cookie taken for it; asked about, renewed, ended for all who have it."""

from datetime import UTC, datetime
from typing import Any

import structlog
from aiohttp import web

from notifier.domain.errors import InvalidFields
from notifier.http import jsontext, sessions
from notifier.http.answers import json_answer
from notifier.http.body import read_json, read_nothing
from notifier.http.callers import Caller
from notifier.http.checking import check_shape
from notifier.http.console_answers import LoginRequest
from notifier.http.parts import CALLER, CONFIG, KEYS, PARTS, enter
from notifier.http.queries import read_query
from notifier.http.sessions import Session
from notifier.http.times import shown

log = structlog.get_logger("notifier.console")


async def log_in(request: web.Request) -> web.Response:
    """A session for the key in the body; the key must have the scope `read`, or there is nothing to see."""
    read_query(request, {})
    sessions.must_be_ours(request)
    fields, errors = check_shape(
        jsontext.parse_object(await read_json(request, request.app[CONFIG])), LoginRequest
    )
    if errors:
        raise InvalidFields(errors)
    keys, now = request.app[KEYS], _now(request)
    caller = await keys.caller_of(fields.key.strip())
    request[CALLER] = caller
    caller.must_have("read")
    session = await keys.session_for(caller.key_id, now=now)
    log.info("console_login", key_id=caller.key_id, tenant=caller.tenant)
    return _told(request, caller, session, now)


async def show(request: web.Request) -> web.Response:
    """Whose session it is."""
    caller = await enter(request, "read")
    read_query(request, {})
    session = sessions.session_of(request)
    return json_answer(_document(caller, session))


async def renew(request: web.Request) -> web.Response:
    """Another hour, but never past twelve from the log-in; a key instead of a cookie gets a session of its own."""
    caller = await enter(request, "read")
    read_query(request, {})
    await read_nothing(request, request.app[CONFIG])
    found, now = sessions.session_of(request), _now(request)
    session = await request.app[KEYS].session_for(caller.key_id, now=now, former=found)
    return _told(request, caller, session, now)


async def log_out(request: web.Request) -> web.Response:
    """No door honours the session any more, and the browser forgets it; it need not be good any more.

    Raises `Unavailable` with storage away: then the browser keeps it, and may ask again.
    """
    read_query(request, {})
    sessions.must_be_ours(request)
    await read_nothing(request, request.app[CONFIG])
    session = sessions.session_of(request)
    if session is not None and await request.app[KEYS].end(session):
        log.info("console_logout", key_id=session.key_id)
    answer = web.Response(status=204)
    sessions.forget(answer, request)
    return answer


def _told(request: web.Request, caller: Caller, session: Session, now: float) -> web.Response:
    answer = json_answer(_document(caller, session))
    sessions.remember(answer, request, session, now=now)
    return answer


def _document(caller: Caller, session: Session | None) -> dict[str, Any]:
    return {
        "key_id": caller.key_id,
        "tenant": caller.tenant,
        "mode": caller.mode,
        "scopes": sorted(caller.scopes),
        "channels": None if caller.channels is None else sorted(caller.channels),
        "expires_at": shown(datetime.fromtimestamp(session.ends, UTC)) if session else None,
    }


def _now(request: web.Request) -> float:
    return request.app[PARTS].now().timestamp()
