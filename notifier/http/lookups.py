"""What storage was asked a moment ago: asked once for all who want it, and believed for a short while."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Engine

from notifier.http.offload import Offload

Result = TypeVar("Result")
#: Answers remembered at once, known and unknown ids together.
MAX_REMEMBERED = 10_000


@dataclass(slots=True)
class _Answer(Generic[Result]):
    told: "asyncio.Task[Result]"
    until: float


class Lookups(Generic[Result]):
    """Asks `function(engine, name)`, each name at most once every `ttl` seconds however many requests come with it."""

    def __init__(
        self, function: Callable[[Engine, str], Result], engine: Engine, reads: Offload, *, ttl: float
    ) -> None:
        self._function = function
        self._engine = engine
        self._reads = reads
        self._ttl = ttl
        self._answers: OrderedDict[str, _Answer[Result]] = OrderedDict()

    async def of(self, name: str) -> Result:
        """From memory or from storage; one lookup serves all who wait for it."""
        time = asyncio.get_running_loop().time()
        found = self._answers.get(name)
        if found is None or found.until <= time or _failed(found.told):
            asked = asyncio.ensure_future(self._reads.run(self._function, self._engine, name))
            asked.add_done_callback(look_at_error)
            found = self._answers[name] = _Answer(asked, time + self._ttl)
            self._answers.move_to_end(name)
            while len(self._answers) > MAX_REMEMBERED:
                self._answers.popitem(last=False)
        return await asyncio.shield(found.told)

    def forget(self, name: str) -> None:
        """Ask anew: it has just been changed here."""
        self._answers.pop(name, None)


def _failed(told: "asyncio.Task[Any]") -> bool:
    return told.done() and (told.cancelled() or told.exception() is not None)


def look_at_error(told: "asyncio.Task[Any]") -> None:
    """Every waiter gets the error; looking at it here says that it is not forgotten."""
    if not told.cancelled():
        told.exception()
