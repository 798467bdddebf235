"""The parent's hold on its worker processes: orders go out, what they tell comes in."""

import multiprocessing
from collections import deque
from typing import Any, Self

from tests.nodes.waiting import wait_until
from tests.stock.kit import child
from tests.stock.kit.child import Plan

# A server process that has imported everything forks each worker within milliseconds.
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.stock.kit.child"])

#: Seconds that a crowded machine may need for what takes a moment.
PATIENCE = 60.0


class WorkerProcess:
    """One worker; leave it as a context to end it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.started: list[str] = []
        self._heard: deque[tuple[Any, ...]] = deque()
        self._pipe, other = _context.Pipe()
        self._process = _context.Process(target=child.run, args=(other, plan), daemon=True)
        self._process.start()
        other.close()
        self._await("ready")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._pipe.close()

    @property
    def running(self) -> bool:
        return self._process.is_alive()

    def wait_started(self, count: int) -> list[str]:
        """Until it has started so many messages (which it then holds); all that it started, in order."""
        wait_until(
            lambda: len(self._listen().started) >= count, PATIENCE, f"{count} starts in {self.plan.name}"
        )
        return list(self.started)

    def let(self, wanted: str) -> None:
        """Finish this message."""
        self._pipe.send(("let", wanted))

    def let_all(self) -> None:
        """Hold no message any more."""
        self._pipe.send(("let_all",))

    def cut(self, queue_name: str) -> None:
        """Its consumer's connection is cut, as a firewall would."""
        self._pipe.send(("cut", queue_name))
        self._await("cut")

    def flush(self, queue_name: str) -> None:
        """Until a stock consumer has written the acks it owes."""
        self._pipe.send(("flush", queue_name))
        self._await("flushed")

    def status(self) -> dict[str, Any]:
        """What it counts: see `child`."""
        self._pipe.send(("status",))
        (found,) = self._await("status")
        return dict(found)

    def stop(self) -> None:
        """Let it stop in order."""
        self._pipe.send(("stop",))
        self._await("stopped")
        self._process.join(PATIENCE)

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.join(PATIENCE)

    def _listen(self) -> Self:
        try:
            while self._pipe.poll():
                self._take(self._pipe.recv())
        except (EOFError, OSError):
            pass  # it was killed
        return self

    def _take(self, words: tuple[Any, ...]) -> None:
        if words[0] == "started":
            self.started.append(words[1])
        else:
            self._heard.append(words)

    def _await(self, word: str) -> tuple[Any, ...]:
        wait_until(
            lambda: any(said[0] == word for said in self._listen()._heard),
            PATIENCE,
            f"{self.plan.name} to say {word}",
        )
        found = next(said for said in self._heard if said[0] == word)
        self._heard.remove(found)
        return found[1:]
