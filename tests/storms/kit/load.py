"""A well-behaved client under load: a steady pace, an Idempotency-Key each, trying again until it hears 202."""

import asyncio
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import aiohttp

from tests.storms.kit.ledger import Ledger

#: Seconds a client waits before it tries again, each time twice as long up to the second value.
BACK_OFF, LONGEST_BACK_OFF = 0.25, 2.0
#: Seconds a client waits for one answer.
ANSWER = 10.0
#: Requests under way at once.
CONNECTIONS = 100
#: In every recipient's address and body; found in a log, a queue or a metric it is a leak.
CANARY = "kanarienvogel"

Body = Callable[[int], dict[str, object]]


def email(number: int) -> dict[str, object]:
    """A request for one of the e-mail lanes, in turn."""
    return {
        "channel": "email",
        "priority": ("high", "medium", "low")[number % 3],
        "to": {"email": f"{CANARY}{number}@example.com"},
        "content": {"subject": f"Number {number}", "text": f"This is {CANARY} {number}."},
    }


class Load(threading.Thread):
    """Posts `pace` notifications a second until told to finish (or `limit` are attempted).

    `accepted` has the id of each number that was answered 202 and stands in the ledger; `erred` the
    numbers whose client saw an error on the way there. `doors` are ports and may change meanwhile.
    """

    def __init__(
        self,
        run: str,
        folder: Path,
        doors: Sequence[int],
        key: str,
        dice: random.Random,
        *,
        pace: float,
        limit: int | None = None,
        body: Body = email,
        last_try: float = 90.0,
    ) -> None:
        super().__init__(daemon=True, name=f"load-{run}")
        self.run_name = run
        self.attempted = 0
        self.accepted: dict[int, str] = {}
        self.erred: set[int] = set()
        self.answers: Counter[int] = Counter()
        #: What the client met instead of an answer (those that `answers` counts as 0), by name.
        self.failures: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        #: Answers that no promise allows: what they were.
        self.wrong: list[str] = []
        self.slowest = 0.0
        #: Seconds that each refusal took.
        self.refused: list[float] = []
        #: Seconds by which this client itself came late at the most: what a crowded machine adds to a time.
        self.lag = 0.0
        #: When each 202 was heard, by the monotonic clock.
        self.heard: list[float] = []
        self.failure: BaseException | None = None
        self._doors, self._key, self._dice, self._body = doors, key, dice, body
        self.pace, self._limit, self._last_try = pace, limit, last_try
        self._path = folder / f"{run}.ledger"
        self._enough = threading.Event()
        self._ended = 0.0

    def run(self) -> None:
        """Be the client, to the end."""
        try:
            asyncio.run(self._all())
        except BaseException as error:  # noqa: BLE001 - told to whoever asks for the result
            self.failure = error

    def finish(self) -> None:
        """Post nothing new; return when each number is accepted or given up."""
        self._ended = time.monotonic()
        self._enough.set()
        self.join(self._last_try + 2 * ANSWER)
        assert not self.is_alive(), "the client hangs"
        if self.failure is not None:
            raise self.failure

    def longest_silence(self, since: float, until: float) -> float:
        """Seconds of the longest time without a 202 between two moments."""
        moments = [since, *(at for at in self.heard if since <= at <= until), until]
        return max(later - earlier for earlier, later in itertools.pairwise(moments))

    async def _all(self) -> None:
        never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._never = never
        self._ledger = Ledger(self._path)
        waiting: set[asyncio.Task[None]] = set()
        headers = {"Authorization": f"Bearer {self._key}"}
        timeout = aiohttp.ClientTimeout(total=ANSWER)
        connector = aiohttp.TCPConnector(limit=0)
        # The client's own queue: what waits in it waits for no door, so it does not count as waiting.
        self._slots = asyncio.Semaphore(CONNECTIONS)
        async with aiohttp.ClientSession(headers=headers, connector=connector, timeout=timeout) as session:
            begun = time.monotonic()
            while not self._enough.is_set() and (self._limit is None or self.attempted < self._limit):
                due = int((time.monotonic() - begun) * self.pace) + 1
                for _ in range(min(due - self.attempted, 50)):
                    task = asyncio.create_task(self._one(session, self.attempted))
                    waiting.add(task)
                    task.add_done_callback(waiting.discard)
                    self.attempted += 1
                slept = time.monotonic()
                await asyncio.wait({never}, timeout=1 / self.pace)
                self.lag = max(self.lag, time.monotonic() - slept - 1 / self.pace)
            await asyncio.gather(*waiting)
        self._ledger.close()

    async def _one(self, session: aiohttp.ClientSession, number: int) -> None:
        body = self._body(number) | {"reference": f"{self.run_name}-{number}"}
        headers = {"Idempotency-Key": f"{self.run_name}-{number}"}
        pause = BACK_OFF
        while True:
            async with self._slots:
                found = await self._ask(session, body, headers)
            if found is not None:
                await self._ledger.write(f"{number} {found}")
                self.accepted[number] = found
                self.heard.append(time.monotonic())
                return
            self.erred.add(number)
            if self._enough.is_set() and time.monotonic() > self._ended + self._last_try:
                return
            await asyncio.wait({self._never}, timeout=pause)
            pause = min(LONGEST_BACK_OFF, 2 * pause)

    async def _ask(
        self, session: aiohttp.ClientSession, body: dict[str, object], headers: dict[str, str]
    ) -> str | None:
        """The id, if it was accepted; what may not be is noted in `wrong`."""
        url = f"http://127.0.0.1:{self._dice.choice(self._doors)}/v1/notifications"
        began = time.monotonic()
        try:
            async with session.post(url, json=body, headers=headers) as answer:
                found = await answer.json(content_type=None)
        except TimeoutError:
            self.wrong.append(f"no answer in {ANSWER:g} s")
            return None
        except (aiohttp.ClientError, ConnectionError, ValueError) as error:
            self.answers[0] += 1
            self.failures[type(error).__name__] += 1
            return None
        took = time.monotonic() - began
        self.slowest = max(self.slowest, took)
        self.answers[answer.status] += 1
        if answer.status == 202:
            return str(found["id"])
        self.refused.append(took)
        self.refusals[str(found.get("code"))] += 1
        again = answer.headers.get("Retry-After", "")
        if answer.status not in {409, 503} or (answer.status == 503 and not again.isdigit()):
            self.wrong.append(f"{answer.status} {found.get('code')} Retry-After {again!r}")
        return None
