"""Operations on failures: `POST /v1/failures/replay` and `/discard`, how far they have come, and their end."""

from uuid import UUID

import structlog
from aiohttp import web
from sqlalchemy import Engine

from notifier.domain.errors import NotFound, OutcomeUnknown, Unavailable
from notifier.domain.ids import operation_id, parse_operation_id
from notifier.domain.replays import OperationKind
from notifier.http import queries, views
from notifier.http.answers import json_answer
from notifier.http.body import read_json, read_nothing
from notifier.http.failure_orders import read_order
from notifier.http.headers import idempotency_key_of
from notifier.http.parts import CONFIG, REQUEST_ID, enter, read
from notifier.http.sending import REPLAYED, digest_of
from notifier.storage import operations
from notifier.storage.operations import Begun, OperationRow, Order, OrderKey

log = structlog.get_logger("notifier.failures")


async def replay(request: web.Request) -> web.Response:
    """Have failures sent again, one after another; 202 once that is durable."""
    return await _begin(request, OperationKind.REPLAY, 202)


async def discard(request: web.Request) -> web.Response:
    """Put failures aside."""
    return await _begin(request, OperationKind.DISCARD, 200)


async def show(request: web.Request) -> web.Response:
    """How far an operation has come."""
    caller = await enter(request, "read")
    queries.read_query(request, {})
    found = await read(request, operations.get, caller.tenant, _id(request))
    return json_answer(views.operation(_there(found)))


async def cancel(request: web.Request) -> web.Response:
    """Replay no more of it; one that is done stays as it is."""
    caller = await enter(request, "admin")
    queries.read_query(request, {})
    await read_nothing(request, request.app[CONFIG])
    found = await read(request, stop, caller.tenant, _id(request), caller.key_id)
    return json_answer(views.operation(_there(found)))


def begin(engine: Engine, order: Order, key: OrderKey | None = None) -> Begun:
    """Keep the operation and log who asked for it."""
    begun = operations.begin(engine, order, key)
    made = begun.row
    if begun.replayed:
        return begun
    log.info(
        "operation_begun",
        kind=made.kind,
        operation=operation_id(made.id),
        tenant=order.tenant,
        by=made.by,
        filter=made.filter,
        rate=made.rate,
        priority=made.priority,
        ttl=made.ttl,
        matched=made.matched,
    )
    return begun


def stop(engine: Engine, tenant: str, wanted: UUID, by: str | None) -> OperationRow | None:
    """End a replay and log who said so."""
    found = operations.cancel(engine, tenant, wanted)
    if found is not None:
        log.info(
            "operation_cancelled",
            operation=operation_id(wanted),
            by=by,
            state=found.state,
            replayed=found.replayed,
        )
    return found


async def _begin(request: web.Request, kind: OperationKind, status: int) -> web.Response:
    caller = await enter(request, "admin")
    queries.read_query(request, {})
    key = idempotency_key_of(request)
    body = await read_json(request, request.app[CONFIG])
    order, dry_run = read_order(body, kind, caller, request[REQUEST_ID], request.app[CONFIG].channels)
    if dry_run:
        return json_answer(views.preview(await read(request, operations.preview, order)))
    named = key and OrderKey(
        api_key=caller.key_id,
        route=f"POST /v1/failures/{kind}",
        key=key,
        body_hash=digest_of(body, {}).hex(),
        hours=request.app[CONFIG].key_hours,
    )
    try:
        begun = await read(request, begin, order, named or None)
    except Unavailable:
        # Its commit may have been under way, or yet to come.
        raise OutcomeUnknown("it may have begun; the Idempotency-Key tells") from None
    headers = {"Location": views.operation_path(begun.row.id), **(REPLAYED if begun.replayed else {})}
    return json_answer(views.operation(begun.row), status=status, headers=headers)


def _id(request: web.Request) -> UUID:
    found = parse_operation_id(request.match_info["operation"])
    if found is None:
        raise NotFound
    return found


def _there(found: OperationRow | None) -> OperationRow:
    if found is None:
        raise NotFound
    return found
