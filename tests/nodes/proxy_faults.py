"""What a bad network does to the bytes of one direction of one connection; see `proxy.py`."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

_CHUNK = 16_384  # bytes read at once
_ON_THE_WAY = 64  # chunks that may be under way in one direction, before the sender is held up
_PIECES_PER_SECOND = 10  # of a trickle
_END = b""


@dataclass
class Faults:
    """What is wrong with the network now; all waits on it end when it changes."""

    black: bool = False
    resume: bool = False
    #: Seconds that each chunk comes later.
    delay: float = 0.0
    #: Bytes per second, None without a limit.
    rate: float | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def change(self, **what: float | None) -> None:
        """Set the named fields and wake whoever waits for a change."""
        for name, value in what.items():
            setattr(self, name, value)
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for_passage(self, sent: float | None = None) -> None:
        """Until what was sent at this time of the loop's clock may arrive."""
        loop = asyncio.get_running_loop()
        while self.black or (sent is not None and loop.time() < sent + self.delay):
            await self.change_or(None if self.black or sent is None else sent + self.delay)

    async def change_or(self, when: float | None) -> None:
        """Until the faults change, at the latest at this time of the loop's clock (None: wait on)."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(when):
                await self._changed.wait()


class Direction:
    """Bytes from `source` to `sink`: `read` and `write` run side by side until the end is passed on."""

    def __init__(self, faults: Faults, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        self._faults = faults
        self._source = source
        self._sink = sink
        self._way: asyncio.Queue[tuple[float, bytes | OSError]] = asyncio.Queue(_ON_THE_WAY)
        self._closed = False

    async def read(self) -> None:
        """Put on the way what comes, the end or a reset as the last of it."""
        loop = asyncio.get_running_loop()
        while True:
            await self._faults.wait_for_passage()
            chunk: bytes | OSError
            try:
                chunk = await self._source.read(_CHUNK)
            except OSError as error:
                chunk = error
            await self._way.put((loop.time(), chunk))
            if chunk == _END or isinstance(chunk, OSError):
                return

    async def write(self) -> None:
        """Let arrive what is on the way, as the faults allow; raises the reset that came instead of an end."""
        while True:
            sent, chunk = await self._way.get()
            await self._faults.wait_for_passage(sent)
            if isinstance(chunk, OSError):
                raise chunk
            if chunk == _END:
                self.close()
                return
            await self._let_through(chunk)

    def close(self) -> None:
        """Pass on an end now; what comes after it is thrown away."""
        if not self._closed:
            self._closed = True
            with suppress(OSError):
                self._sink.write_eof()

    async def _let_through(self, chunk: bytes) -> None:
        while chunk and not self._closed:
            rate = self._faults.rate
            size = len(chunk) if rate is None else max(1, int(rate / _PIECES_PER_SECOND))
            piece, chunk = chunk[:size], chunk[size:]
            self._sink.write(piece)
            await self._sink.drain()
            if rate is not None:
                await self._faults.change_or(asyncio.get_running_loop().time() + len(piece) / rate)
                await self._faults.wait_for_passage()
