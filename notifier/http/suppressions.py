"""`/v1/suppressions`: recipients that nothing is sent to, and letting them be sent to again.

An address comes in a body only, never in a URL, and no answer and no line of the log repeats it.
"""

from typing import Any
from uuid import UUID

import structlog
from aiohttp import web
from sqlalchemy import Engine

from notifier.domain.errors import FieldError, InvalidFields, NotFound
from notifier.domain.ids import notification_id, parse_suppression_id, suppression_id
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.lifecycle import Reason
from notifier.domain.recipients import Recipient, address_key
from notifier.http import jsontext, queries, schemas
from notifier.http.addressing import read_recipient, used_channel
from notifier.http.answers import json_answer
from notifier.http.body import read_json, read_nothing
from notifier.http.callers import Caller
from notifier.http.checking import Errors, check_shape
from notifier.http.compose import check_text
from notifier.http.notifications import relaxed, searched
from notifier.http.parts import CONFIG, enter, read
from notifier.http.schemas import SuppressionSearchRequest, SuppressRequest
from notifier.http.times import shown
from notifier.storage import suppression_list
from notifier.storage.notifications import search_hash
from notifier.storage.suppression_list import SuppressionRow, Whom

log = structlog.get_logger("notifier.suppressions")


async def create(request: web.Request) -> web.Response:
    """Send a recipient nothing more: 201, or 200 if that stands already."""
    caller = await enter(request, "admin")
    queries.read_query(request, {})
    fields, recipient = _asked(await read_json(request, request.app[CONFIG]), request)
    _must_reach(caller, recipient.channel)
    reason = Reason(fields.reason or Reason.RECIPIENT_OPTED_OUT)
    whom = _whom(caller, recipient)
    row, added = await read(request, add, whom, reason, fields.topic, caller.key_id)
    headers = {"Location": f"/v1/suppressions/{suppression_id(row.id)}"}
    return json_answer(view(row), status=201 if added else 200, headers=headers)


async def search(request: web.Request) -> web.Response:
    """One recipient's suppressions."""
    caller = await enter(request, "read")
    queries.read_query(request, {})
    value = jsontext.parse_object(await read_json(request, request.app[CONFIG]))
    fields, errors = check_shape(value, SuppressionSearchRequest)
    recipient = searched(fields.to, request.app[CONFIG], errors)
    rows, more = await read(request, suppression_list.of_recipient, _whom(caller, recipient))
    return json_answer({"data": [view(row) for row in rows], "more": more})


async def show(request: web.Request) -> web.Response:
    """One suppression."""
    caller = await enter(request, "read")
    queries.read_query(request, {})
    found = await read(request, suppression_list.get, caller.tenant, _id(request))
    return json_answer(view(_there(found)))


async def remove(request: web.Request) -> web.Response:
    """Send to the recipient again; the answer is what was taken away."""
    caller = await enter(request, "admin")
    queries.read_query(request, {})
    await read_nothing(request, request.app[CONFIG])
    found = _there(await read(request, suppression_list.get, caller.tenant, _id(request)))
    _must_reach(caller, found.channel)
    return json_answer(view(_there(await read(request, take_away, caller.tenant, found.id, caller.key_id))))


def add(
    engine: Engine, whom: Whom, reason: Reason, topic: str | None, by: str | None
) -> tuple[SuppressionRow, bool]:
    """Keep it and log who said so; nothing is logged if it stands already."""
    row, added = suppression_list.add(engine, whom, reason, topic)
    if added:
        log.info("suppression_added", **_facts(whom.tenant, row, by))
    return row, added


def take_away(engine: Engine, tenant: str, wanted: UUID, by: str | None) -> SuppressionRow | None:
    """Remove it and log who said so."""
    found = suppression_list.remove(engine, tenant, wanted)
    if found is not None:
        log.info("suppression_removed", **_facts(tenant, found, by))
    return found


def view(row: SuppressionRow) -> dict[str, Any]:
    """A suppression as JSON values."""
    return {
        "id": suppression_id(row.id),
        "channel": row.channel,
        "topic": row.topic,
        "reason": row.reason,
        "source": row.source,
        "notification_id": notification_id(row.notification_id) if row.notification_id else None,
        "created_at": shown(row.created_at),
    }


def _asked(body: bytes, request: web.Request) -> tuple[SuppressRequest, Recipient]:
    fields, found = check_shape(jsontext.parse_object(body), SuppressRequest)
    errors: Errors = found
    config = relaxed(request.app[CONFIG])
    channel = used_channel(fields.channel, fields.to, config, errors)
    recipient = read_recipient(channel, fields.to, config, errors)
    check_text("/topic", fields.topic, schemas.MAX_TOPIC, errors)
    if errors or recipient is None:
        raise InvalidFields(sorted(errors, key=_pointer))
    return fields, recipient


def _pointer(error: FieldError) -> str:
    return error.pointer


def _whom(caller: Caller, recipient: Recipient) -> Whom:
    return Whom(caller.tenant, recipient.channel, search_hash(caller.tenant, address_key(recipient)))


def _must_reach(caller: Caller, channel: Channel) -> None:
    """A key for some channels only says nothing about others; every priority is the same here."""
    caller.must_reach(Lane(channel, Priority.LOW))


def _facts(tenant: str, row: SuppressionRow, by: str | None) -> dict[str, Any]:
    return {
        "suppression": suppression_id(row.id),
        "tenant": tenant,
        "channel": row.channel,
        "reason": row.reason,
        "by": by,
    }


def _id(request: web.Request) -> UUID:
    found = parse_suppression_id(request.match_info["suppression"])
    if found is None:
        raise NotFound
    return found


def _there(found: SuppressionRow | None) -> SuppressionRow:
    if found is None:
        raise NotFound
    return found
