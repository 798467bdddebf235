"""Reading notifications, cancelling them, ending held ones. Every query names the caller's tenant."""

import dataclasses
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from aiohttp import web
from sqlalchemy import Engine

from notifier.domain.errors import FieldError, InvalidFields, NotFound
from notifier.domain.ids import parse_notification_id
from notifier.domain.lanes import Channel, Priority
from notifier.domain.lifecycle import Reason, Status
from notifier.domain.recipients import Recipient, address_key
from notifier.http import jsontext, queries, views
from notifier.http.addressing import read_recipient, used_channel
from notifier.http.answers import json_answer
from notifier.http.body import read_json, read_nothing
from notifier.http.checking import check_shape
from notifier.http.config import HttpConfig
from notifier.http.pages import make_cursor, read_cursor
from notifier.http.parts import CONFIG, PARTS, enter, read
from notifier.http.problems import Problem
from notifier.http.schemas import ResolveRequest, SearchRequest, To
from notifier.storage import attempts, changes, notifications
from notifier.storage.notifications import Filter, NotificationRow

#: How far back a list goes unless it says so itself.
WINDOW = timedelta(days=7)

PAGING = {"limit": queries.page_size, "cursor": queries.cursor}
FILTERS: dict[str, queries.Parser] = {
    "status": queries.one_of(Status),
    "channel": queries.one_of(Channel),
    "priority": queries.one_of(Priority),
    "reference": queries.text_value,
    "tag": queries.text_value,
    "provider": queries.text_value,
    "reason": queries.one_of(Reason),
    "batch_id": queries.batch_id,
    "created_after": queries.moment,
    "created_before": queries.moment,
}


async def show(request: web.Request) -> web.Response:
    """One notification with its attempts and its timeline."""
    caller = await enter(request, "read")
    queries.read_query(request, {})
    row, tried = await read(request, _row_and_attempts, caller.tenant, _id(request))
    return json_answer(views.detailed(row, tried))


async def listing(request: web.Request) -> web.Response:
    """A page of notifications, newest first."""
    caller = await enter(request, "read")
    query = queries.read_query(request, {**FILTERS, **PAGING})
    return await _page(request, caller.tenant, query, None)


async def search(request: web.Request) -> web.Response:
    """A page of one recipient's notifications; the address stands in the body, never in a URL."""
    caller = await enter(request, "read")
    query = queries.read_query(request, {**FILTERS, **PAGING})
    value = jsontext.parse_object(await read_json(request, request.app[CONFIG]))
    fields, errors = check_shape(value, SearchRequest)
    recipient = searched(fields.to, request.app[CONFIG], errors)
    digest = notifications.search_hash(caller.tenant, address_key(recipient))
    return await _page(request, caller.tenant, query, digest)


async def cancel(request: web.Request) -> web.Response:
    """Cancel it: 200 means that it will not be sent, 409 that it is too late."""
    caller = await enter(request, "send")
    queries.read_query(request, {})
    await read_nothing(request, request.app[CONFIG])
    row = await read(request, changes.cancel, caller.tenant, _id(request))
    return json_answer(views.listed(row))


async def resolve(request: web.Request) -> web.Response:
    """End a held notification as sent, as failed, or send it again."""
    caller = await enter(request, "send")
    queries.read_query(request, {})
    value = jsontext.parse_object(await read_json(request, request.app[CONFIG]))
    fields, errors = check_shape(value, ResolveRequest)
    if errors:
        raise InvalidFields(errors)
    row = await read(request, changes.resolve, caller.tenant, _id(request), fields.verdict)
    return json_answer(views.listed(row))


async def not_built(request: web.Request) -> web.Response:
    """Changing a notification comes with a later issue."""
    await enter(request, "send")
    raise Problem("not_found", "changing a notification is not built yet")


def _id(request: web.Request) -> UUID:
    found = parse_notification_id(request.match_info["id"])
    if found is None:
        raise NotFound
    return found


def _row_and_attempts(
    engine: Engine, tenant: str, wanted: UUID
) -> tuple[NotificationRow, list[dict[str, Any]]]:
    row = notifications.get(engine, tenant, wanted)
    if row is None:
        raise NotFound
    return row, attempts.of(engine, tenant, wanted)


async def _page(
    request: web.Request, tenant: str, query: dict[str, Any], recipient_hash: str | None
) -> web.Response:
    limit, cursor = query.pop("limit", queries.DEFAULT_PAGE), query.pop("cursor", None)
    scope = _scope(request, {**query, "recipient": recipient_hash})
    before = read_cursor(tenant, scope, cursor)
    page = await read(
        request,
        partial(notifications.walk, examined=request.app[CONFIG].examined),
        tenant,
        filter_of(query, recipient_hash, request.app[PARTS].now()),
        limit,
        before,
    )
    data = [views.listed(row) for row in page.rows]
    return json_answer({"data": data, "next_cursor": make_cursor(tenant, scope, page.next)})


def filter_of(query: dict[str, Any], recipient_hash: str | None, now: datetime) -> Filter:
    """What checked parameters ask for; without a beginning, the last days."""
    since = query.pop("created_after", None) or now - WINDOW
    return Filter(created_after=since, recipient_hash=recipient_hash, **query)


def _scope(request: web.Request, query: dict[str, Any]) -> str:
    """What a cursor belongs to: the route and every filter."""
    return request.path + "?" + msgspec.json.encode(query, order="sorted").decode()


def relaxed(config: HttpConfig) -> HttpConfig:
    """Takes every address that was ever taken, also what only a test would use."""
    return dataclasses.replace(config, production=False, utf8_addresses=True)


def searched(to: To | None, config: HttpConfig, errors: list[FieldError]) -> Recipient:
    """Whose notifications are sought; addresses only a test would use can be looked for as well."""
    recipient = None
    if to is not None:
        if to.phone is not None:
            channel = Channel.SMS
        elif to.push_token is not None:
            channel = Channel.PUSH
        elif to.chat is not None:
            channel = Channel.CHAT
        else:
            channel = Channel.EMAIL
        recipient = read_recipient(used_channel(channel, to, config, errors), to, relaxed(config), errors)
    if errors or recipient is None:
        raise InvalidFields(errors)
    return recipient
