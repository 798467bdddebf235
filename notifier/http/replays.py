"""A request that was valid when it first came may no longer be: its `send_at` is past, a provider is gone.

Its Idempotency-Key still owes it the first answer (promise 4), so before such a request is refused the
key is looked up.
"""

import asyncio

from aiohttp import web
from sqlalchemy import Engine

from notifier.http.callers import Caller
from notifier.http.parts import WAITED, read
from notifier.intake.accept import Kept
from notifier.storage import accepting
from notifier.storage.engine import reading


async def earlier_answer(
    request: web.Request, caller: Caller, route: str, key: str | None, digest: bytes
) -> Kept | None:
    """The answer that the same request got before, or None."""
    if key is None:
        return None
    name = (caller.key_id, route, key)
    time = asyncio.get_running_loop().time
    began = time()
    found = await read(request, _find, name)
    request[WAITED] += time() - began
    if found is None or found.expired or found.body_hash != digest.hex():
        return None
    return Kept(found.answer.encode(), replayed=True)


def _find(engine: Engine, name: tuple[str, str, str]) -> accepting.KeyFound | None:
    with reading(engine) as connection:
        return accepting.find_key(connection, name)
