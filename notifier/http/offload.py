"""What would block the event loop - storage, large bodies - runs in a bounded executor, with a deadline.

No more than `queue` calls wait; past that, or past the deadline, the answer is `Unavailable`, so that
a slow database fills neither memory nor the callers' patience.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from notifier.domain.errors import Unavailable
from notifier.storage.faults import is_away, is_data_fault

log = structlog.get_logger()
Result = TypeVar("Result")


class Offload:
    """Runs functions in a few threads of its own."""

    def __init__(self, *, threads: int, queue: int, deadline: float, name: str) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._room = threads + queue
        self._running = 0
        self._deadline = deadline

    async def run(self, function: Callable[..., Result], *args: Any, waited: float = 0.0) -> Result:
        """What `function(*args)` returns; raises `Unavailable` if storage is away, slow or too busy.

        `waited` are the seconds of its deadline that the caller's request has spent elsewhere.
        """
        if self._running >= self._room:
            raise Unavailable
        self._running += 1
        work = self._executor.submit(function, *args)
        work.add_done_callback(self._ended_from(asyncio.get_running_loop()))
        try:
            return await asyncio.wait_for(asyncio.wrap_future(work), max(0.0, self._deadline - waited))
        except TimeoutError:
            raise Unavailable from None
        except SQLAlchemyError as error:
            if is_data_fault(error) or not is_away(error):
                raise
            log.warning("storage_away", error=type(error).__name__)
            raise Unavailable from None

    def close(self) -> None:
        """Let the threads go; a call that hangs is not waited for."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _ended_from(self, loop: asyncio.AbstractEventLoop) -> Callable[[Any], None]:
        """A thread that still runs past its deadline keeps its place until it really ends."""

        def ended(_: Any) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._count_down)

        return ended

    def _count_down(self) -> None:
        self._running -= 1
