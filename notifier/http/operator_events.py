"""`GET /v1/operator-events`: what happened to providers and lanes, newest first."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from aiohttp import web
from sqlalchemy import Engine

from notifier.domain.lanes import Channel
from notifier.domain.operator_events import EventKind
from notifier.http import queries
from notifier.http.answers import json_answer
from notifier.http.pages import make_cursor, read_cursor
from notifier.http.parts import enter, read
from notifier.http.problems import Problem
from notifier.http.times import shown
from notifier.storage import operator_events
from notifier.storage.operator_events import EventFilter, EventRow

LISTED: dict[str, queries.Parser] = {
    "kind": queries.one_of(EventKind),
    "channel": queries.one_of(Channel),
    "provider": queries.text_value,
    "after": queries.sequence,
    "limit": queries.page_size,
    "cursor": queries.cursor,
}


async def listing(request: web.Request) -> web.Response:
    """A page of events, the newest first; they are the service's, not one tenant's."""
    caller = await enter(request, "read")
    query = queries.read_query(request, LISTED)
    return json_answer(await read(request, page_of, caller.tenant, query))


def page_of(engine: Engine, tenant: str, query: Mapping[str, Any]) -> dict[str, Any]:
    """The page that a checked query asks for; raises `Problem` ``invalid_cursor``."""
    rest = dict(query)
    limit: int = rest.pop("limit", queries.DEFAULT_PAGE)
    cursor: str | None = rest.pop("cursor", None)
    scope = "operator-events?" + msgspec.json.encode(rest, order="sorted").decode()
    before = _id(read_cursor(tenant, scope, cursor))
    rows = operator_events.walk(engine, EventFilter(**rest), limit, before)
    last = UUID(int=rows[-1].id) if len(rows) == limit else None
    return {"data": [document(row) for row in rows], "next_cursor": make_cursor(tenant, scope, last)}


def document(row: EventRow) -> dict[str, Any]:
    """One event."""
    event = row.event
    return {
        "id": row.id,
        "at": shown(row.at),
        "kind": event.kind,
        "channel": event.channel,
        "priority": event.priority,
        "provider": event.provider,
        "by": event.by,
        "reason": event.reason,
        "facts": event.facts,
    }


def _id(last: UUID | None) -> int | None:
    """The event's id that a cursor holds in place of a UUID; no event of ours has one beyond 64 bits."""
    if last is None:
        return None
    if last.int > queries.MAX_SEQUENCE:
        raise Problem("invalid_cursor")
    return last.int
