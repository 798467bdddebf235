"""Faults of an SMTP server that runs in another process, told through a file it looks at for each message.

The file is JSON; without it, or when it is empty, the server behaves. What it may say:

- ``delay``: [from, to] seconds before each message is accepted
- ``reply``: ``{"MAIL" | "RCPT" | "DATA": "451 4.3.0 later"}`` in place of the usual reply
- ``hang``: no answer to the message's final dot, until that is taken back; the message is not kept
- ``trickle``: the message is kept, and the answer comes a byte a second
- ``close_after_accept``: the message is kept, and the connection closes without an answer
- ``drop``: new connections are closed at once
- ``share``: the share of messages (0 to 1, by default all) that all this, but for the delay, concerns
"""

import asyncio
import contextlib
import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SLOW_ANSWER = b"250-2.0.0 this takes its time and more than any caller has\r\n"


class SmtpControl:
    """Writes the file, each time whole."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def set(self, **faults: Any) -> None:
        """Have exactly these faults from the next message on."""
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(faults))
        new.replace(self.path)

    def clear(self) -> None:
        """Behave."""
        self.set()


@dataclass
class SmtpFaults:
    """The server's side: what the file says now."""

    path: Path | None = None
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    _read_at: int = 0
    _said: dict[str, Any] = field(default_factory=dict)

    def said(self) -> dict[str, Any]:
        """The file's content, read again when the file has changed."""
        if self.path is not None:
            with contextlib.suppress(FileNotFoundError):
                changed = self.path.stat().st_mtime_ns
                if changed != self._read_at:
                    self._said, self._read_at = json.loads(self.path.read_text() or "{}"), changed
        return self._said

    @property
    def drops(self) -> bool:
        """Whether a new connection is closed at once."""
        return bool(self.said().get("drop"))

    def reply(self, verb: str) -> str | None:
        """The reply in place of the usual one."""
        found = self.said().get("reply", {}).get(verb)
        return str(found) if found and self._concerned() else None

    async def before_accepting(self) -> str | None:
        """Take the time that a message takes; a reply, if it is refused after all."""
        if "delay" in self.said():
            await _pass(self.dice.uniform(*self.said()["delay"]))
        if not (self.said().get("hang") and self._concerned()):
            return None
        while self.said().get("hang"):
            await _pass(0.1)
        return "451 4.3.0 I was not myself"

    async def after_accepting(self, transport: asyncio.Transport) -> None:
        """Keep the answer to the accepted message from its caller, as told."""
        if self.said().get("close_after_accept") and self._concerned():
            transport.abort()
        elif self.said().get("trickle") and self._concerned():
            for one in _SLOW_ANSWER:
                if transport.is_closing():
                    return
                transport.write(bytes([one]))
                await _pass(1.0)

    def _concerned(self) -> bool:
        return self.dice.random() < float(self.said().get("share", 1.0))


async def _pass(seconds: float) -> None:
    """Let so much time pass for this connection alone."""
    await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=seconds)
