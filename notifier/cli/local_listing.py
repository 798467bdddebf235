"""A list of notifications from the database itself: the same document as the door's first page."""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import msgspec
from multidict import MultiDict
from sqlalchemy import Engine

from notifier.cli.answers import Answer
from notifier.http import notifications as door
from notifier.http import views
from notifier.http.queries import DEFAULT_PAGE, read_parameters
from notifier.storage import notifications


def page(engine: Engine, tenant: str, query: Mapping[str, str]) -> Answer:
    """The newest notifications that match; raises `InvalidFields`."""
    asked = read_parameters(MultiDict(query), {**door.FILTERS, "limit": door.PAGING["limit"]})
    limit: int = asked.pop("limit", DEFAULT_PAGE)
    found = notifications.walk(engine, tenant, door.filter_of(asked, None, datetime.now(UTC)), limit, None)
    plain: dict[str, Any] = msgspec.to_builtins(
        {"data": [views.listed(row) for row in found.rows], "next_cursor": None}
    )
    return Answer(HTTPStatus.OK, plain)
