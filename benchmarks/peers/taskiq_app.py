"""Stock taskiq over aio-pika with a task that does nothing; it acknowledges after the task, as is its default.

`taskiq worker benchmarks.peers.taskiq_app:broker` consumes; `python -m … COUNT` puts messages there.
"""

import asyncio
import os
import sys

from taskiq_aio_pika import AioPikaBroker

from benchmarks.calls import CallWriter

#: What the broker calls its queue unless told otherwise.
QUEUE = "taskiq"
_AT_ONCE = 100
_calls = CallWriter()

broker = AioPikaBroker(os.environ["BENCHMARK_BROKER_URL"])


async def _nothing(number: int) -> None:
    """Only tell of it."""
    _calls.called(str(number))


nothing = broker.register_task(_nothing, task_name="bench.nothing")


async def _fill(count: int) -> None:
    await broker.startup()
    try:
        for begin in range(0, count, _AT_ONCE):
            await asyncio.gather(*(nothing.kiq(each) for each in range(begin, min(count, begin + _AT_ONCE))))
    finally:
        await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(_fill(int(sys.argv[1])))
