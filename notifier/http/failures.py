"""`GET /v1/failures` and its summary: what finally failed or expired."""

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web
from sqlalchemy import Engine

from notifier.domain.errors import InvalidInput
from notifier.domain.lanes import Channel, Priority
from notifier.domain.lifecycle import Reason
from notifier.domain.replays import FailureState, FailureStatus
from notifier.http import queries, views
from notifier.http.answers import json_answer
from notifier.http.pages import make_cursor, read_cursor
from notifier.http.parts import enter, read
from notifier.storage import dead_letters
from notifier.storage.dead_letters import GROUPS, FailureFilter

#: Instead of one state: whatever became of it.
ALL_STATES = "all"


def _state(text: str) -> FailureState | None:
    if text == ALL_STATES:
        return None
    try:
        return FailureState(text)
    except ValueError:
        raise InvalidInput(
            "not_allowed", f"must be one of {', '.join([*FailureState, ALL_STATES])}"
        ) from None


def _groups(text: str) -> list[str]:
    """Names of `GROUPS`, each once, in the order they were asked for."""
    found = list(dict.fromkeys(text.split(",")))
    if not set(found) <= set(GROUPS):
        raise InvalidInput("not_allowed", f"must be some of {', '.join(GROUPS)}, joined by commas")
    return found


FILTERS: dict[str, queries.Parser] = {
    "state": _state,
    "since": queries.moment,
    "until": queries.moment,
    "status": queries.one_of(FailureStatus),
    "reason": queries.one_of(Reason),
    "channel": queries.one_of(Channel),
    "priority": queries.one_of(Priority),
    "provider": queries.text_value,
}
LISTED: dict[str, queries.Parser] = {**FILTERS, "limit": queries.page_size, "cursor": queries.cursor}
SUMMED: dict[str, queries.Parser] = {**FILTERS, "group_by": _groups}


async def listing(request: web.Request) -> web.Response:
    """A page of failures, newest notification first."""
    caller = await enter(request, "read")
    query = queries.read_query(request, LISTED)
    return json_answer(await read(request, page_of, caller.tenant, query))


async def summary(request: web.Request) -> web.Response:
    """How many failures there are of each kind."""
    caller = await enter(request, "read")
    query = queries.read_query(request, SUMMED)
    return json_answer(await read(request, summary_of, caller.tenant, query))


def page_of(engine: Engine, tenant: str, query: Mapping[str, Any]) -> dict[str, Any]:
    """The page that a checked query asks for; raises `Problem` ``invalid_cursor``."""
    rest = _open_unless_said(query)
    limit: int = rest.pop("limit", queries.DEFAULT_PAGE)
    cursor: str | None = rest.pop("cursor", None)
    scope = "failures?" + msgspec.json.encode(rest, order="sorted").decode()
    before = read_cursor(tenant, scope, cursor)
    page = dead_letters.walk(engine, tenant, FailureFilter(**rest), limit, before)
    data = [views.failure(row) for row in page.rows]
    return {"data": data, "next_cursor": make_cursor(tenant, scope, page.next)}


def summary_of(engine: Engine, tenant: str, query: Mapping[str, Any]) -> dict[str, Any]:
    """The sum that a checked query asks for."""
    rest = _open_unless_said(query)
    group_by: list[str] = rest.pop("group_by", ["reason", "provider"])
    found = dead_letters.summary(engine, tenant, FailureFilter(**rest), group_by)
    return {"group_by": group_by, "data": [views.failure_group(group) for group in found]}


def _open_unless_said(query: Mapping[str, Any]) -> dict[str, Any]:
    return {"state": FailureState.OPEN, **query}
