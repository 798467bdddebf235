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
class Answer(Generic[Result]):
    """What was told, or will be, and until when (the loop's time) it is believed."""

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
        self._answers: OrderedDict[str, Answer[Result]] = OrderedDict()

    async def of(self, name: str) -> Result:
        """From memory or from storage; one lookup serves all who wait for it."""
        time = asyncio.get_running_loop().time()
        found = self._answers.get(name)
        if found is None or found.until <= time or _failed(found.told):
            found = self._ask(name, time)
        return await asyncio.shield(found.told)

    def latest(self, name: str) -> Answer[Result] | None:
        """The last answer, whether it came already or not."""
        return self._answers.get(name)

    def holds(self, name: str, answer: Answer[Result]) -> bool:
        """Whether an earlier answer may still be believed: its time is not over, and no newer one is there.

        At half of its time storage is asked again: else all that come when it lapses would wait for the lookup.
        """
        time, latest = asyncio.get_running_loop().time(), self._answers.get(name)
        if answer.until <= time or latest is None or (latest is not answer and latest.told.done()):
            return False
        if latest is answer and answer.until - time < self._ttl / 2:
            self._ask(name, time)
        return True

    def _ask(self, name: str, time: float) -> Answer[Result]:
        asked = asyncio.ensure_future(self._reads.run(self._function, self._engine, name))
        asked.add_done_callback(look_at_error)
        found = self._answers[name] = Answer(asked, time + self._ttl)
        self._answers.move_to_end(name)
        while len(self._answers) > MAX_REMEMBERED:
            self._answers.popitem(last=False)
        return found

    def forget(self, name: str) -> None:
        """Ask anew: it has just been changed here."""
        self._answers.pop(name, None)


def _failed(told: "asyncio.Task[Any]") -> bool:
    return told.done() and (told.cancelled() or told.exception() is not None)


def look_at_error(told: "asyncio.Task[Any]") -> None:
    """Every waiter gets the error; looking at it here says that it is not forgotten."""
    if not told.cancelled():
        told.exception()
