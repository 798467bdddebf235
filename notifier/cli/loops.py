"""Event loops and stop signals of the serving commands."""

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable

from notifier.telemetry.logs import get_logger

log = get_logger("notifier.serve")


def run_loop(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `main(stop)`; SIGTERM and SIGINT set `stop`, a second one ends the process at once."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_guarded(main))


def rest_garbage_collector() -> None:
    """Have it look less often, and never again at what there is by now.

    With its usual threshold the objects of a few requests under way let it go through all modules' again and again:
    4 % of a busy door's time. What a request leaves behind is freed without it, for it refers to itself nowhere.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _guarded(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal(name: str) -> None:
        if stop.is_set():
            log.warning("second_signal", signal=name)
            sys.exit(130)
        log.info("stopping", signal=name)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number.name)
    await main(stop)
