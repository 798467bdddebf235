"""What happened to providers and lanes, from the database itself: the same document as the door's."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from multidict import MultiDict
from sqlalchemy import Engine

from notifier.cli.answers import Answer
from notifier.http import operator_events
from notifier.http.queries import read_parameters


def page(engine: Engine, tenant: str, query: Mapping[str, str]) -> Answer:
    """A page of events; raises `InvalidFields` or `Problem`."""
    asked = read_parameters(MultiDict(query), operator_events.LISTED)
    plain: dict[str, Any] = msgspec.to_builtins(operator_events.page_of(engine, tenant, asked))
    return Answer(HTTPStatus.OK, plain)
