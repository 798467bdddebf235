"""The client's ledger: a line is on disk (fsync) before what it says counts; lines share one fsync."""

import asyncio
import os
from pathlib import Path


class Ledger:
    """Appends lines to a file from one event loop."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def write(self, line: str) -> None:
        """Return when the line is on disk."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((f"{line}\n".encode(), written))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        await written

    async def _write(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            await asyncio.to_thread(self._append, b"".join(line for line, _ in group))
            for _, written in group:
                if not written.done():
                    written.set_result(None)

    def _append(self, lines: bytes) -> None:
        os.write(self._file, lines)
        os.fsync(self._file)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)
