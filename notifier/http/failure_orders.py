"""From the body of a replay or a discard to an `Order`: every wrong field is named at once."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec

from notifier.domain.errors import FieldError, InvalidFields, InvalidInput
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.replays import DEFAULT_RATE, MAX_LIMIT, MAX_RATE, MIN_RATE, OperationKind
from notifier.http import jsontext, schemas
from notifier.http.callers import Caller
from notifier.http.checking import Errors, check_shape
from notifier.http.schemas import DiscardRequest, FailureFields, ReplayRequest
from notifier.http.times import parse_moment
from notifier.storage.dead_letters import FailureFilter
from notifier.storage.operations import Order


def read_order(
    body: bytes,
    kind: OperationKind,
    caller: Caller,
    request_id: str | None,
    channels: Collection[Channel],
) -> tuple[Order, bool]:
    """What is asked for, and whether only to count; raises `InvalidFields`, or `Problem` ``forbidden`` for a
    replay down lanes that the key does not reach, of these channels.
    """
    replays = kind is OperationKind.REPLAY
    fields, errors = check_shape(jsontext.parse_object(body), ReplayRequest if replays else DiscardRequest)
    wanted = _filter(fields.filter, errors)
    limit = _within(fields.limit, "/limit", 1, MAX_LIMIT, errors)
    rate = _within(fields.rate, "/rate", MIN_RATE, MAX_RATE, errors) if replays else None
    ttl = _within(fields.ttl, "/ttl", 1, schemas.MAX_TTL, errors) if replays else None
    if errors:
        raise InvalidFields(sorted(errors, key=lambda error: error.pointer))
    priority = fields.priority if replays else None
    if replays:
        _must_reach(caller, wanted, priority, channels)
    order = Order(
        kind=kind,
        tenant=caller.tenant,
        by=caller.key_id,
        request_id=request_id,
        wanted=wanted,
        asked=msgspec.to_builtins(fields.filter),
        limit=limit or MAX_LIMIT,
        rate=float(rate or DEFAULT_RATE) if replays else None,
        priority=priority,
        ttl=ttl,
    )
    return order, bool(fields.dry_run)


def _filter(fields: FailureFields | None, errors: Errors) -> FailureFilter:
    if fields is None:
        return FailureFilter()
    since = _moment(fields.since, "/filter/since", errors)
    until = _moment(fields.until, "/filter/until", errors)
    if since is not None and until is not None and until <= since:
        errors.append(FieldError("/filter/until", "out_of_range", "must be later than since"))
    if fields.provider is not None and not 1 <= len(fields.provider) <= schemas.MAX_PROVIDER:
        errors.append(
            FieldError("/filter/provider", "length", f"must be 1 to {schemas.MAX_PROVIDER} characters")
        )
    return FailureFilter(
        since=since,
        until=until,
        status=fields.status,
        reason=fields.reason,
        channel=fields.channel,
        priority=fields.priority,
        provider=fields.provider,
    )


def _moment(text: str | None, pointer: str, errors: Errors) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_moment(text)
    except InvalidInput as error:
        errors.append(error.at(pointer))
        return None


def _within(value: Any, pointer: str, least: float, most: float, errors: Errors) -> Any:
    if value is not None and not least <= value <= most:
        errors.append(FieldError(pointer, "out_of_range", f"must be {least:g} to {most:.12g}"))
        return None
    return value


def _must_reach(
    caller: Caller, wanted: FailureFilter, priority: Priority | None, used: Collection[Channel]
) -> None:
    """Whatever the filter lets through must be of a lane that the key may send down."""
    channels = [wanted.channel] if wanted.channel else used
    asked = priority or wanted.priority
    for channel in channels:
        for each in [asked] if asked else list(Priority):
            caller.must_reach(Lane(channel, each))
