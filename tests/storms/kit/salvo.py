"""Many requests at once to chosen doors, each answer kept: what a storm's steady client does not do."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

#: Seconds before a request is tried again, for one answer, and for all of it.
BACK_OFF, ANSWER, ALTOGETHER = 0.1, 10.0, 300.0
_AGAIN = frozenset({0, 409, 503})


@dataclass(frozen=True, slots=True)
class Shot:
    """A request: its Idempotency-Key and its body."""

    key: str
    body: dict[str, object]


@dataclass(frozen=True, slots=True)
class Heard:
    """The last answer to a request; status 0: none came. `faults`: tries that got no answer before it."""

    status: int
    document: dict[str, Any]
    replayed: bool
    faults: int = 0

    @property
    def id(self) -> str:
        """The notification's id; "" unless it was accepted."""
        return str(self.document["id"]) if self.status == 202 else ""


def fire(
    ports: Sequence[int],
    key: str,
    shots: Sequence[Shot],
    *,
    again: bool = True,
    at_once: int = 200,
    on_each: Callable[[], object] = lambda: None,
) -> list[Heard]:
    """Post each request to the doors in turn, `at_once` at a time; `again`: until it is answered finally.

    No answer, 409 and 503 are not final. `ports` may change meanwhile.
    """
    return asyncio.run(_fire(ports, key, shots, again, at_once, on_each))


async def _fire(
    ports: Sequence[int],
    key: str,
    shots: Sequence[Shot],
    again: bool,
    at_once: int,
    on_each: Callable[[], object],
) -> list[Heard]:
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    queue = iter(enumerate(shots))
    heard: dict[int, Heard] = {}
    headers = {"Authorization": f"Bearer {key}"}
    connector = aiohttp.TCPConnector(limit=at_once)
    timeout = aiohttp.ClientTimeout(total=None, sock_read=ANSWER)

    async def client(session: aiohttp.ClientSession) -> None:
        for number, shot in queue:
            faults = 0
            while True:
                port = ports[(number + faults) % len(ports)]
                found = await _one(session, port, shot, faults)
                if not again or found.status not in _AGAIN:
                    break
                faults += 1
                await asyncio.wait({never}, timeout=BACK_OFF)
            heard[number] = found
            on_each()

    async with (
        asyncio.timeout(ALTOGETHER),
        aiohttp.ClientSession(headers=headers, connector=connector, timeout=timeout) as session,
    ):
        await asyncio.gather(*(client(session) for _ in range(at_once)))
    return [heard[number] for number in range(len(shots))]


async def _one(session: aiohttp.ClientSession, port: int, shot: Shot, faults: int) -> Heard:
    url = f"http://127.0.0.1:{port}/v1/notifications"
    headers = {"Idempotency-Key": shot.key}
    try:
        async with session.post(url, json=shot.body, headers=headers) as answer:
            document = await answer.json(content_type=None)
            replayed = answer.headers.get("Idempotency-Replayed") == "true"
            return Heard(answer.status, document, replayed, faults)
    except (aiohttp.ClientError, ConnectionError, TimeoutError, ValueError):
        return Heard(0, {}, False, faults)
