"""`POST /v1/notifications`: from a request to 202, which stands only after the durable commit."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import msgspec
import structlog
from aiohttp import web

from notifier.domain import simulator
from notifier.domain.errors import InvalidFields
from notifier.domain.lifecycle import Mode
from notifier.domain.notification import NewNotification
from notifier.domain.recipients import EmailAddress
from notifier.http import jsontext, views
from notifier.http.answers import encoded, json_answer, raw_answer
from notifier.http.body import read_large_json, too_large
from notifier.http.checking import Errors, check_shape
from notifier.http.compose import Asked, compose
from notifier.http.headers import idempotency_key_of
from notifier.http.parts import (
    CALLER,
    CONFIG,
    PARSING,
    PARTS,
    REFUSED,
    REQUEST_ID,
    ROOM,
    WAITED,
    asked_by,
    enter,
)
from notifier.http.queries import flag, read_query
from notifier.http.quotas import pay
from notifier.http.replays import earlier_answer
from notifier.http.schemas import SendRequest
from notifier.http.strict import refuse_suppressed
from notifier.http.times import shown
from notifier.intake.accept import Kept, Submission
from notifier.storage.accepting import Stored

log = structlog.get_logger()

ROUTE = "POST /v1/notifications"
REPLAYED = {"Idempotency-Replayed": "true"}

_decoder = msgspec.json.Decoder(SendRequest)


class _Named(msgspec.Struct):
    id: str


_name = msgspec.json.Decoder(_Named)


class _File(msgspec.Struct, gc=False):
    data: msgspec.Raw = msgspec.Raw()


class _Files(msgspec.Struct):
    attachments: list[_File] | None = None


class _Sizes(msgspec.Struct):
    """Of a large body only what makes it large; the decoder passes over the rest."""

    content: _Files | None = None


_sizes = msgspec.json.Decoder(_Sizes)


def _length(file: _File) -> int:
    """Bytes that a file's text takes as it was sent; 0 for what is no text."""
    written = memoryview(file.data)
    return len(written) if bytes(written[:1]) == b'"' else 0


async def create(request: web.Request) -> web.Response:
    """Keep one notification; `?dry_run=true` only checks it, `?strict=true` refuses what would not be sent."""
    caller = await enter(request, "send")
    if REFUSED in request:
        raise request[REFUSED]
    query = read_query(request, {"dry_run": flag, "strict": flag})
    key = idempotency_key_of(request)
    async with AsyncExitStack() as stack:
        body = await read_large_json(request, request.app[CONFIG], request.app[ROOM], stack)
        return await _create(request, asked_by(request, caller), body, query, key)


async def _create(
    request: web.Request, asked: Asked, body: bytes, query: dict[str, Any], key: str | None
) -> web.Response:
    digest = digest_of(body, query)
    try:
        if len(body) <= asked.config.body_limit:
            notification = read_notification(body, asked)
        else:
            notification = await request.app[PARSING].run(read_large_notification, body, asked)
        if query.get("strict"):
            await refuse_suppressed(request, notification)
    except InvalidFields:
        kept = await earlier_answer(request, asked.caller, ROUTE, key, digest)
        if kept is None:
            raise
        return answer_to(kept)
    if query.get("dry_run"):
        return json_answer(dry_run(notification, asked))

    def respond(stored: Sequence[Stored]) -> bytes:
        return answer_of(stored[0], notification)

    return answer_to(await keep(request, ROUTE, [notification], (key, digest), respond))


def read_notification(body: bytes, asked: Asked) -> NewNotification:
    """The notification in `body`; raises `Problem` or `InvalidFields`."""
    fields, errors = read_request(body)
    return compose(fields, asked, errors)


def read_large_notification(body: bytes, asked: Asked) -> NewNotification:
    """The same for a body above the usual limit, which only attachments may bring about; raises `Problem` too.

    Their data apart, it must keep that limit: so listing what is wrong stays as cheap as ever. Takes a while, so it
    is run beside the event loop.
    """
    limit = asked.config.body_limit
    try:
        found = _sizes.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise too_large(limit, "a body that can't be read") from None
    files = (found.content and found.content.attachments) or []
    if not files:
        raise too_large(limit)
    if len(body) - sum(map(_length, files)) > limit:
        raise too_large(limit, "the body without its attachments' data")
    return read_notification(body, asked)


def _flag_look_alikes(request: web.Request, notifications: Sequence[NewNotification]) -> None:
    """An address that mixes alphabets is kept, for it may be right; it is worth a second look."""
    mixed = sum(
        isinstance(new.recipient, EmailAddress) and new.recipient.mixed_script for new in notifications
    )
    if mixed:
        log.warning("recipients_mix_scripts", notifications=mixed, request_id=request[REQUEST_ID])


async def keep(
    request: web.Request,
    route: str,
    notifications: Sequence[NewNotification],
    named: tuple[str | None, bytes],
    respond: Callable[[Sequence[Stored]], bytes],
) -> Kept:
    """Have them kept together; `named` is the Idempotency-Key with the request's digest."""
    caller = request[CALLER]
    if request.app[PARTS].quotas.limits(caller.tenant):
        # Its answer is owed whatever is left, and was paid for; only where there is a quota this costs a look.
        earlier = await earlier_answer(request, caller, route, *named)
        if earlier is not None:
            return earlier
        await pay(request, len(notifications))
    _flag_look_alikes(request, notifications)
    submission = Submission(
        notifications=notifications,
        tenant=caller.tenant,
        api_key=caller.key_id,
        route=route,
        idempotency_key=named[0],
        body_hash=named[1],
        respond=respond,
    )
    return await request.app[PARTS].intake.submit(submission, waited=request[WAITED])


def read_request(body: bytes) -> tuple[SendRequest, Errors]:
    """The fields in `body` and what is wrong with their shape; raises `Problem` unless it is a JSON object.

    Nearly every request passes the decoder at once; only one that does not is read a second time.
    """
    try:
        request = _decoder.decode(body)
        if not jsontext.may_hold_nul(body):
            jsontext.check_names(body, request)
            return request, []
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    found, errors = check_shape(jsontext.parse_object(body), SendRequest)
    return found, errors


def answer_of(stored: Stored, notification: NewNotification) -> bytes:
    """What is told of a kept notification."""
    return encoded(views.accepted(stored, notification))


def location_of(kept: Kept) -> str:
    """Where a kept notification is read."""
    return f"/v1/notifications/{_name.decode(kept.answer).id}"


def answer_to(kept: Kept) -> web.Response:
    """202 with the kept bytes; the same ones when the request came before."""
    headers = {"Location": location_of(kept), **(REPLAYED if kept.replayed else {})}
    return raw_answer(kept.answer, status=202, headers=headers)


def digest_of(body: bytes, query: dict[str, Any]) -> bytes:
    """What must be the same for an Idempotency-Key to mean the same request: the body and the flags."""
    flags = "&".join(sorted(f"{name}={value}" for name, value in query.items()))
    return hashlib.sha256(flags.encode() + b"\n" + body).digest()


def _provider_of(notification: NewNotification, names: Sequence[str]) -> str | None:
    if notification.mode is Mode.TEST:
        return simulator.NAME
    return notification.provider or (names[0] if names else None)


def dry_run(notification: NewNotification, asked: Asked) -> dict[str, Any]:
    """What would become of a notification: its lane, its provider, its cost and its end."""
    lane = notification.lane
    names = asked.config.senders(notification.recipient)
    ttl = notification.ttl or asked.config.default_ttl[lane.priority]
    begins = notification.send_at or asked.now
    return {
        "dry_run": True,
        "channel": lane.channel,
        "priority": lane.priority,
        "provider": _provider_of(notification, names),
        "units": notification.units,
        "reference": notification.reference,
        "send_at": shown(notification.send_at),
        "expires_at": shown(begins + timedelta(seconds=ttl)),
    }
