"""Failures in the database itself: the same documents as the door's, with no service needed."""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
from multidict import MultiDict
from sqlalchemy import Engine

from notifier.cli.answers import Answer
from notifier.domain.errors import NotFound
from notifier.domain.ids import parse_operation_id
from notifier.domain.lanes import Channel
from notifier.domain.replays import OperationKind, OperationState
from notifier.http import failures, operations, views
from notifier.http.callers import Caller
from notifier.http.failure_orders import read_order
from notifier.http.queries import read_parameters
from notifier.storage import operations as stored
from notifier.storage import workers
from notifier.storage.operations import OperationRow

_NO_RELAY = "No relay runs now: it is replayed once `notifier work` or `notifier dev` runs on this database."


def page(engine: Engine, tenant: str, query: Mapping[str, str]) -> Answer:
    """A page of failures; raises `InvalidFields` or `Problem`."""
    return _good(failures.page_of(engine, tenant, read_parameters(MultiDict(query), failures.LISTED)))


def summary(engine: Engine, tenant: str, query: Mapping[str, str]) -> Answer:
    """Failures counted; raises `InvalidFields`."""
    return _good(failures.summary_of(engine, tenant, read_parameters(MultiDict(query), failures.SUMMED)))


def begin(engine: Engine, caller: Caller, kind: OperationKind, body: bytes, beat_fresh: float) -> Answer:
    """A replay or a discard, or its dry run; raises `InvalidFields` or `Problem`."""
    order, dry_run = read_order(body, kind, caller, None, list(Channel))
    order = replace(order, by=None)
    if dry_run:
        return _good(views.preview(stored.preview(engine, order)))
    made = operations.begin(engine, order).row
    waits = made.state is OperationState.RUNNING and not workers.any_living(engine, beat_fresh, "relay")
    return _good(views.operation(made), notes=(_NO_RELAY,) if waits else ())


def operation(engine: Engine, tenant: str, name: str) -> Answer:
    """How far it has come; raises `NotFound`."""
    return _shown(stored.get(engine, tenant, _id(name)))


def stop(engine: Engine, tenant: str, name: str) -> Answer:
    """The end of a replay; raises `NotFound`."""
    return _shown(operations.stop(engine, tenant, _id(name), None))


def _id(name: str) -> UUID:
    found = parse_operation_id(name)
    if found is None:
        raise NotFound
    return found


def _shown(found: OperationRow | None) -> Answer:
    if found is None:
        raise NotFound
    return _good(views.operation(found))


def _good(document: object, notes: tuple[str, ...] = ()) -> Answer:
    plain: dict[str, Any] = msgspec.to_builtins(document)
    return Answer(HTTPStatus.OK, plain, notes)
