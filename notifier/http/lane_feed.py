"""The lanes as they change: one look at storage a second for all who watch, and none while nobody does.

A viewer who takes his time misses moments; nobody waits for him. What was seen in the last ten minutes is kept, so
that a page has its picture at once.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from notifier.http.answers import encoded
from notifier.http.problems import Problem

#: Seconds between two looks, and seconds of looks that are kept.
EVERY, KEPT = 1.0, 600.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One look: the event's JSON, and what of it is kept; `moment` is None when storage did not answer."""

    event: bytes
    moment: dict[str, Any] | None


@dataclass(eq=False, slots=True)
class Viewer:
    """Who watches: the newest event that he has not taken."""

    _event: bytes | None = None
    _there: asyncio.Event = field(default_factory=asyncio.Event)

    def give(self, event: bytes) -> None:
        """Put it in the place of one that was not taken."""
        self._event = event
        self._there.set()

    async def take(self, patience: float) -> bytes | None:
        """The next event; None if there is none within `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                await self._there.wait()
        except TimeoutError:
            return None
        self._there.clear()
        return self._event


class LaneFeed:
    """Looks (with `look`, on the event loop) while there are viewers, at most so many."""

    def __init__(
        self, look: Callable[[], Awaitable[Seen]], *, viewers: int, every: float = EVERY, kept: float = KEPT
    ) -> None:
        self._look = look
        self._places = viewers
        self._every = every
        self._viewers: set[Viewer] = set()
        self._kept: deque[tuple[float, dict[str, Any]]] = deque()
        self._keep_seconds = kept
        self._looking: asyncio.Task[None] | None = None

    @contextmanager
    def viewer(self) -> Iterator[Viewer]:
        """A place among the viewers; raises `Problem` ``unavailable`` when all are taken."""
        if len(self._viewers) >= self._places:
            detail = f"{self._places} follow the lanes already"
            raise Problem("unavailable", detail, headers={"Retry-After": "10"})
        made = Viewer()
        self._viewers.add(made)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._go_on_looking())
        try:
            yield made
        finally:
            self._viewers.discard(made)

    def history(self) -> bytes:
        """The moments that are kept, as an event's data."""
        self._drop_old()
        return encoded({"data": [moment for _, moment in self._kept]})

    def close(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()

    async def _go_on_looking(self) -> None:
        time = asyncio.get_running_loop().time
        while self._viewers:
            began = time()
            seen = await self._look()
            if seen.moment is not None:
                self._kept.append((began, seen.moment))
                self._drop_old()
            for viewer in self._viewers:
                viewer.give(seen.event)
            await asyncio.sleep(max(0.0, began + self._every - time()))

    def _drop_old(self) -> None:
        oldest = asyncio.get_running_loop().time() - self._keep_seconds
        while self._kept and self._kept[0][0] < oldest:
            self._kept.popleft()
