"""`/v1/receipts/{provider}`: what became of messages, as the provider that took them reports it.

No API key: the provider's signature says who speaks. What it says is read behind the door, by name, so that no provider
is known here. A success means that it is durable, so the same may come twice and changes nothing then.
"""

from contextlib import AsyncExitStack

from aiohttp import web

from notifier.domain.errors import FieldError, InvalidFields, NotFound
from notifier.domain.receipts import Forged, Handshake, ReceiptRequest
from notifier.http.body import read_within_room
from notifier.http.parts import CONFIG, PARTS, RECEIPT_ROOM, RECEIPTS
from notifier.http.problems import Problem
from notifier.storage.provider_states import ProviderKey


async def take(request: web.Request) -> web.Response:
    """Success once it is stored, 403 where the signature is not the provider's."""
    desk = request.app[PARTS].receipts
    if desk is None:
        raise NotFound
    key = _account(desk.accounts(request.match_info["provider"]), request.query.getall("channel", []))
    config = request.app[CONFIG]
    async with AsyncExitStack() as stack:
        body = await read_within_room(
            request,
            usual=config.body_limit,
            most=config.receipts_limit,
            deadline=config.body_deadline,
            room=request.app[RECEIPT_ROOM],
            stack=stack,
        )
        asked = ReceiptRequest(headers=_headers(request), body=body, query=request.rel_url.raw_query_string)
        found = await request.app[RECEIPTS].run(desk.take, key, asked)
    match found:
        case Forged(why):
            raise Problem("forged_receipt", why)
        case Handshake(answer):
            return web.Response(text=answer)
        case status:
            return web.Response(status=status)


def _account(found: list[ProviderKey], channels: list[str]) -> ProviderKey:
    """Whose receipt it is: `?channel=` says it where accounts of several channels have one name."""
    wanted = [key for key in found if len(found) == 1 or str(key.channel) in channels]
    if not found:
        raise NotFound
    if len(wanted) != 1:
        names = ", ".join(str(key.channel) for key in found)
        detail = f"several channels have a provider of this name: must be one of {names}"
        raise InvalidFields([FieldError("?channel", "ambiguous", detail)])
    return wanted[0]


def _headers(request: web.Request) -> dict[str, str]:
    """The first of each name."""
    found: dict[str, str] = {}
    for name, value in request.headers.items():
        found.setdefault(name.lower(), value)
    return found
