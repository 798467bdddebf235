"""`GET /v1/failures`: what finally failed or expired."""

from typing import Any

import msgspec
from aiohttp import web

from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.http import queries, views
from notifier.http.answers import json_answer
from notifier.http.pages import make_cursor, read_cursor
from notifier.http.parts import enter, read
from notifier.storage import dead_letters
from notifier.storage.dead_letters import FailureFilter

FILTERS: dict[str, queries.Parser] = {
    "since": queries.moment,
    "reason": queries.one_of(Reason),
    "channel": queries.one_of(Channel),
    "provider": queries.text_value,
}


async def listing(request: web.Request) -> web.Response:
    """A page of failures, newest notification first."""
    caller = await enter(request, "read")
    query = queries.read_query(request, {**FILTERS, "limit": queries.page_size, "cursor": queries.cursor})
    limit: int = query.pop("limit", queries.DEFAULT_PAGE)
    cursor: str | None = query.pop("cursor", None)
    scope = _scope(query)
    before = read_cursor(caller.tenant, scope, cursor)
    page = await read(request, dead_letters.walk, caller.tenant, FailureFilter(**query), limit, before)
    data = [views.failure(row) for row in page.rows]
    return json_answer({"data": data, "next_cursor": make_cursor(caller.tenant, scope, page.next)})


def _scope(query: dict[str, Any]) -> str:
    return "failures?" + msgspec.json.encode(query, order="sorted").decode()
