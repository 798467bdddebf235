"""The open loop of `notifier bench`: each request leaves at its moment, whatever became of those before it.

The wait of each is counted from that moment and not from when it left, so a door that stalls for a second shows in
every request that was due within it (Gil Tene's "coordinated omission").
"""

import asyncio
import contextlib
import json
import signal
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from itertools import count
from typing import Any

import aiohttp

from notifier.cli.bench_figures import Measured
from notifier.cli.bench_plan import Plan, body_of
from notifier.cli.remote import is_this_machine
from notifier.domain.lanes import Channel, Lane
from notifier.settings.remote import Remote

#: Requests under way at once, and connections for them. Beyond it a due request waits, and its wait counts.
_MOST_OPEN, _CONNECTIONS = 4096, 256
#: The longest wait for an answer, and for the last answers after Ctrl-C, in seconds.
_PATIENCE, _LAST_ANSWERS = 30.0, 1.0
#: Answers after which a run that was refused each time for what it is ends: a wrong key, a wrong address.
_HOPELESS = 20
_FINAL_REFUSALS = range(400, 500)

Recipients = Mapping[Channel, Mapping[str, str]]
Lanes = Sequence[Lane]


class OpenLoop:
    """One run against `remote`; `watch` hears how many notifications have their answer."""

    def __init__(
        self,
        remote: Remote,
        plan: Plan,
        recipients: Recipients,
        run: str,
        ttl: int,
        watch: Callable[[int], None],
    ) -> None:
        self._url = f"{remote.url}/v1/notifications" + ("/batch" if plan.batch > 1 else "")
        self._headers = {"Authorization": f"Bearer {remote.key}", "Content-Type": "application/json"}
        self._trust_proxies = not is_this_machine(remote.url)
        self._plan = plan
        self._recipients, self._run, self._ttl = recipients, run, ttl
        self._numbers = count(1)
        self._watch = watch
        self._found = Measured()
        self._open: set[asyncio.Task[None]] = set()
        self._answered = self._hopeless = 0
        self._stop = asyncio.Event()

    async def measure(self) -> Measured:
        """Send everything and await the answers; Ctrl-C ends it early with what there is."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(signal.SIGINT, self._interrupt)
        connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
        timeout = aiohttp.ClientTimeout(total=_PATIENCE)
        try:
            async with aiohttp.ClientSession(
                connector=connector, timeout=timeout, headers=self._headers, trust_env=self._trust_proxies
            ) as session:
                began = loop.time()
                due = await self._send_all(session, began)
                await self._last_answers()
            self._found.seconds = loop.time() - began
            self._found.after = max(0.0, self._found.seconds - due)
        finally:
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(signal.SIGINT)
        return self._found

    def _interrupt(self) -> None:
        self._found.interrupted = True
        self._stop.set()

    async def _send_all(self, session: aiohttp.ClientSession, began: float) -> float:
        """Let each request go at its moment; the last one's, in seconds from the start."""
        loop, due = asyncio.get_running_loop(), 0.0
        for due, lanes in self._plan.requests():
            await self._until(began + due)
            held = await self._room()
            if self._stop.is_set() or loop.time() > began + self._plan.seconds + _PATIENCE:
                break
            if not held:
                self._found.late.append(max(0.0, loop.time() - began - due))
            self._found.asked += len(lanes)
            data = self._encoded(lanes)
            task = asyncio.create_task(self._send(session, data, lanes, began + due))
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        return due

    def _encoded(self, lanes: Lanes) -> bytes:
        items = [body_of(next(self._numbers), lane, self._recipients, self._run, self._ttl) for lane in lanes]
        return json.dumps({"items": items} if self._plan.batch > 1 else items[0]).encode()

    async def _until(self, moment: float) -> None:
        wait = moment - asyncio.get_running_loop().time()
        if wait > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), wait)

    async def _room(self) -> bool:
        """Whether it had to wait for an answer first."""
        held = False
        while len(self._open) >= _MOST_OPEN and not self._stop.is_set():
            held = True
            await asyncio.wait(self._open, return_when=asyncio.FIRST_COMPLETED)
        return held

    async def _last_answers(self) -> None:
        while self._open:
            short = _LAST_ANSWERS if self._stop.is_set() else None
            stopping = asyncio.create_task(self._stop.wait())
            everything = asyncio.gather(*self._open, return_exceptions=True)
            await asyncio.wait(
                {everything, *(() if short else (stopping,))},
                timeout=short,
                return_when=asyncio.FIRST_COMPLETED,
            )
            stopping.cancel()
            if short:
                for task in self._open:
                    task.cancel()
                await asyncio.gather(*self._open, return_exceptions=True)
                return

    async def _send(self, session: aiohttp.ClientSession, data: bytes, lanes: Lanes, due: float) -> None:
        try:
            async with session.post(self._url, data=data, allow_redirects=False) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._refused(f"no answer: {_kind(error)}", len(lanes))
        else:
            self._answer(answer.status, body, lanes, asyncio.get_running_loop().time() - due)
        self._answered += len(lanes)
        self._watch(self._answered)

    def _answer(self, status: int, body: bytes, lanes: Lanes, waited: float) -> None:
        document = _read(body)
        if status != HTTPStatus.ACCEPTED:
            self._refused(f"{status} {document.get('code', 'not as notifier answers')}", len(lanes))
            final = status in _FINAL_REFUSALS and status != HTTPStatus.TOO_MANY_REQUESTS
            self._hopeless += final
            if final and self._hopeless >= _HOPELESS and not self._found.accepts:
                self._stop.set()
            return
        wrong = {one["index"]: one["error"] for one in document.get("results", ()) if "error" in one}
        for index, lane in enumerate(lanes):
            if index in wrong:
                self._refused(f"item {wrong[index].get('code', '')}", 1)
            else:
                self._found.accepts.setdefault(lane, []).append(waited)

    def _refused(self, why: str, number: int) -> None:
        self._found.errors[why] += number


def _kind(error: Exception) -> str:
    return "it took too long" if isinstance(error, TimeoutError) else type(error).__name__


def _read(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
