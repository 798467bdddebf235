"""`POST /v1/notifications/batch`: up to 1,000 at once, as one JSON document or one a line (NDJSON).

The good ones are kept in one transaction; each bad one is answered in its place. With `?atomic=true`,
or with none good, everything is refused (422) with all that is wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from aiohttp import web

from notifier.domain.errors import FieldError, InvalidFields
from notifier.domain.ids import notification_id, uuid7
from notifier.domain.notification import NewNotification
from notifier.http import jsontext, views
from notifier.http.answers import encoded, raw_answer
from notifier.http.body import JSON, NDJSON, check_type, read_body
from notifier.http.checking import check_shape
from notifier.http.compose import Asked, compose
from notifier.http.config import HttpConfig
from notifier.http.headers import idempotency_key_of
from notifier.http.option_schemas import Strict
from notifier.http.parts import CONFIG, PARSING, asked_by, enter
from notifier.http.problems import Problem, field_errors, problem_of
from notifier.http.queries import flag, read_query
from notifier.http.replays import earlier_answer
from notifier.http.schemas import BatchFields, SendRequest
from notifier.http.sending import REPLAYED, digest_of, keep
from notifier.intake.accept import Kept
from notifier.storage.accepting import Stored

ROUTE = "POST /v1/notifications/batch"


@dataclass(frozen=True, slots=True)
class Bad:
    """An item that can't be kept: the problem it would have been by itself."""

    problem: Problem


Item = NewNotification | Bad


class _Items(Strict):
    items: list[SendRequest]


_decoder = msgspec.json.Decoder(_Items)


async def create(request: web.Request) -> web.Response:
    """Keep the good ones of a batch; 202 stands only after their durable commit."""
    caller = await enter(request, "send")
    config = request.app[CONFIG]
    query = read_query(request, {"atomic": flag})
    key = idempotency_key_of(request)
    media_type = check_type(request, NDJSON | {JSON})
    body = await read_body(request, limit=config.batch_limit, deadline=config.body_deadline)
    asked = asked_by(request, caller)
    batch_id = uuid7(asked.now)
    in_batch = msgspec.structs.replace(asked, batch_id=batch_id)
    items = await request.app[PARSING].run(read_items, body, media_type == JSON, in_batch)
    good = [item for item in items if not isinstance(item, Bad)]
    digest = digest_of(body, query)
    if not good or (query.get("atomic") and len(good) < len(items)):
        before = await earlier_answer(request, caller, ROUTE, key, digest)
        if before is None:
            raise InvalidFields(_all_wrong(items))
        return _answer_to(before)

    def respond(stored: Sequence[Stored]) -> bytes:
        return encoded(_answer(batch_id, items, stored))

    return _answer_to(await keep(request, ROUTE, good, (key, digest), respond))


def _answer_to(kept: Kept) -> web.Response:
    return raw_answer(kept.answer, status=202, headers=REPLAYED if kept.replayed else None)


def read_items(body: bytes, is_document: bool, asked: Asked) -> list[Item]:
    """Every item of a batch in order, kept or bad; raises `Problem` or `InvalidFields` for the whole.

    Takes a while for a large body: it is run beside the event loop.
    """
    if not is_document:
        lines = [line for line in body.split(b"\n") if line.strip()]
        _check_count(len(lines), asked.config, "")
        return [_line(line, asked) for line in lines]
    requests = _decoded(body)
    if requests is not None:
        _check_count(len(requests), asked.config, "/items")
        return [_composed(request, asked) for request in requests]
    fields, errors = check_shape(jsontext.parse_object(body), BatchFields)
    if errors:
        raise InvalidFields(errors)
    _check_count(len(fields.items), asked.config, "/items")
    defaults = _defaults(fields.defaults or {})
    return [_item(value, defaults, asked) for value in fields.items]


def _decoded(body: bytes) -> list[SendRequest] | None:
    """The items of a batch without defaults whose every item has the right shape; None for any other, right or wrong.

    As with single requests (`sending.read_request`) nearly all pass, and only the rest is read a second time.
    """
    try:
        found = _decoder.decode(body)
        if jsontext.may_hold_nul(body):
            return None
        jsontext.check_names(body, found)
    except (msgspec.MsgspecError, ValueError, RecursionError, Problem):
        return None
    return found.items


def _composed(request: SendRequest, asked: Asked) -> Item:
    try:
        return compose(request, asked, [])
    except InvalidFields as error:
        return Bad(problem_of(error))
    except Problem as problem:
        return Bad(problem)


def _check_count(count: int, config: HttpConfig, pointer: str) -> None:
    if not 1 <= count <= config.batch_items:
        detail = f"a batch has 1 to {config.batch_items} items"
        raise InvalidFields([FieldError(pointer, "out_of_range", detail)])


def _defaults(defaults: dict[str, Any]) -> dict[str, Any]:
    """The defaults, whose own mistakes are told once and not with every item."""
    _, errors = check_shape(defaults, SendRequest)
    wrong = [error for error in errors if error.code != "required"]
    if wrong:
        raise InvalidFields(
            [FieldError(f"/defaults{error.pointer}", error.code, error.detail) for error in wrong]
        )
    return defaults


def _line(line: bytes, asked: Asked) -> Item:
    try:
        value = jsontext.parse(line)
        jsontext.check_storable(value)
    except Problem as problem:
        return Bad(problem)
    return _item(value, {}, asked)


def _item(value: Any, defaults: dict[str, Any], asked: Asked) -> Item:
    if not isinstance(value, dict):
        error = FieldError("", "invalid_type", "must be an object")
        return Bad(Problem("invalid_request", "some fields are wrong", [error]))
    merged = {**defaults, **value}
    try:
        try:
            return compose(msgspec.convert(merged, SendRequest), asked, [])
        except msgspec.ValidationError:
            fields, errors = check_shape(merged, SendRequest)
            return compose(fields, asked, errors)
    except InvalidFields as error:
        return Bad(problem_of(error))
    except Problem as problem:
        return Bad(problem)


def _all_wrong(items: list[Item]) -> list[FieldError]:
    wrong: list[FieldError] = []
    for index, item in enumerate(items):
        if isinstance(item, Bad):
            found = item.problem.errors or [FieldError("", item.problem.code, item.problem.detail)]
            wrong += [
                FieldError(f"/items/{index}{error.pointer}", error.code, error.detail) for error in found
            ]
    return wrong


def _answer(batch_id: UUID, items: list[Item], stored: Sequence[Stored]) -> dict[str, Any]:
    kept = iter(stored)
    results: list[dict[str, Any]] = []
    for index, item in enumerate(items):
        if isinstance(item, Bad):
            results.append({"index": index, "error": _error(item.problem)})
        else:
            results.append({"index": index, "id": notification_id(next(kept).id)})
    return {
        "batch_id": views.batch_name(batch_id),
        "accepted": len(stored),
        "rejected": len(items) - len(stored),
        "results": results,
    }


def _error(problem: Problem) -> dict[str, Any]:
    shown: dict[str, Any] = {"code": problem.code, "detail": problem.detail}
    if problem.errors:
        shown["errors"] = field_errors(problem.errors)
    return shown
