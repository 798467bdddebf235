"""A TCP proxy that plays a bad network: it cuts, refuses, swallows, delays, trickles and closes by halves.

It lives in a thread of this process. Every fault may be set and taken back while connections run. What it
cannot play: it is a host that answers, so a connect succeeds even in a black hole, and what a client
writes is acknowledged by the kernel; only answers stay away.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from tests.nodes.ports import free_port
from tests.nodes.proxy_faults import Direction, Faults

_PATIENCE = 10.0  # seconds for the loop to do what it is told
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER for no time: close() sends RST


class Proxy:
    """From `127.0.0.1:port` to `target` (``("127.0.0.1", 5672)`` or ``"127.0.0.1:5672"``).

    Its port is known before it starts and stays its own while the target is down. A target that refuses
    gives the client a reset. Delays and trickles apply to each connection and direction by itself.
    """

    def __init__(self, target: tuple[str, int] | str) -> None:
        if isinstance(target, str):
            host, _, port = target.rpartition(":")
            target = (host, int(port))
        self._target = target
        self.port = free_port()
        #: How many connections were accepted, refused ones among them.
        self.total = 0
        self._connections: set[_Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._faults = Faults()
        self._refusing = False
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        """`host:port` for a client's URL."""
        return f"127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return len(self._connections)

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        self._run(self._listen())

    def stop(self) -> None:
        """Reset every connection and listen no more."""
        if self._thread.is_alive():
            self._run(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_PATIENCE)
        self._loop.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def cut(self) -> None:
        """Reset every connection now, in the middle of whatever it carries; what comes anew is let pass."""
        self._run(self._reset_all())

    def refuse(self) -> None:
        """Reset new connections at once; running ones go on. After `cut()`, nobody gets through."""
        self._set(lambda: setattr(self, "_refusing", True))

    def black_hole(self, *, resume: bool = False) -> None:
        """Take connections and bytes and let nothing through, either way, no end and no reset neither.

        `heal()` then resets the connections that were swallowed, as hosts do that gave each other up; with
        `resume` they go on where they were, as after a short failure of a link.
        """
        self._set(lambda: self._faults.change(black=True, resume=resume))

    def delay(self, seconds: float) -> None:
        """Let each chunk arrive later by so much, in its order: latency, not less bandwidth."""
        self._set(lambda: self._faults.change(delay=seconds))

    def trickle(self, bytes_per_second: float) -> None:
        """Let so many bytes a second through."""
        self._set(lambda: self._faults.change(rate=bytes_per_second))

    def half_close(self) -> None:
        """End the answers of every running connection; what clients say still arrives."""
        self._set(self._end_answers)

    def heal(self) -> None:
        """End all faults but those that are done: a connection closed by half stays so."""
        self._run(self._heal())

    def _run(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(_PATIENCE)

    def _set(self, change: Callable[[], object]) -> None:
        async def do() -> None:
            change()

        self._run(do())

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=512)

    def _end_answers(self) -> None:
        for connection in self._connections:
            connection.end_answers()

    async def _heal(self) -> None:
        given_up = self._faults.black and not self._faults.resume
        self._refusing = False
        if given_up:
            await self._reset_all()  # before anything swallowed could come through
        self._faults.change(black=False, delay=0.0, rate=None)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.total += 1
        if self._refusing:
            _reset(writer)
            return
        connection = _Connection(self._faults, reader, writer)
        self._connections.add(connection)
        try:
            await connection.run(self._target)
        finally:
            self._connections.discard(connection)

    async def _reset_all(self) -> None:
        doomed = [connection.reset() for connection in list(self._connections)]
        await asyncio.gather(*doomed, return_exceptions=True)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._reset_all()
        # A connection that was accepted a moment ago has its task only now.
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class _Connection:
    """One client and its way to the target."""

    def __init__(self, faults: Faults, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._faults = faults
        self._client = (reader, writer)
        self._writers = [writer]
        self._answers: Direction | None = None
        self._task = asyncio.current_task()

    async def run(self, target: tuple[str, int]) -> None:
        """Pass both directions until both ended; end without order when anything goes wrong."""
        try:
            await self._faults.wait_for_passage()
            server_reader, server_writer = await asyncio.open_connection(*target)
            self._writers.append(server_writer)
            asking = Direction(self._faults, self._client[0], server_writer)
            self._answers = Direction(self._faults, server_reader, self._client[1])
            async with asyncio.TaskGroup() as group:
                for work in (asking.read, asking.write, self._answers.read, self._answers.write):
                    group.create_task(work())
        except* OSError:
            self._abort()
        except* asyncio.CancelledError:
            self._abort()
        for writer in self._writers:
            writer.close()
        for writer in self._writers:
            with suppress(OSError):
                await writer.wait_closed()

    def reset(self) -> Coroutine[Any, Any, object]:
        """RST to both sides; awaits the end of what ran for it."""
        self._abort()
        assert self._task is not None
        self._task.cancel()
        return asyncio.wait({self._task}, timeout=_PATIENCE)

    def end_answers(self) -> None:
        """Tell the client that there will be no more."""
        if self._answers is not None:
            self._answers.close()

    def _abort(self) -> None:
        for writer in self._writers:
            _reset(writer)


def _reset(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):  # a socket that is closed already
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
