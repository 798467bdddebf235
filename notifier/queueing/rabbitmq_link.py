"""One connection to RabbitMQ, turned by the thread that owns it.

pika's `BlockingConnection` hides its loop: it rejects deliveries behind our back and can't tell a silent
broker from an idle one in time. So we turn the same loop ourselves: `pump()` reads, writes and runs what
other threads asked for with `wake()`, the only method they may call.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import pika
import pika.exceptions
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel

#: Seconds without a byte from the broker, which sends a heartbeat every 7.5 s: then it is frozen or cut off.
SILENCE = 22.0


class LinkLost(Exception):
    """The connection is gone or could not be made; the text holds no credentials."""


class ChannelLost(LinkLost):
    """The broker closed the channel: `code` is AMQP's (403, 404, 406), `text` its reason."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"channel closed: {code} {text}")
        self.code = code
        self.text = text


class Link:
    """A connection and its loop. `lost` is None while it lives, then the reason."""

    def __init__(self, parameters: pika.ConnectionParameters, on_lost: Callable[[], None]) -> None:
        self.parameters = parameters
        self.lost: BaseException | None = None
        #: True while an alarm of the broker (memory, disk) keeps it from reading what we publish.
        self.blocked = False
        self._on_lost = on_lost
        self._opened = False
        self._shut = False
        self._alarm: float | None = None
        self._closed: dict[Channel, BaseException] = {}
        self._loop = IOLoop()
        self._loop.activate_poller()
        self._connection = pika.SelectConnection(
            parameters,
            on_open_callback=self._on_open,
            on_open_error_callback=self._on_close,
            on_close_callback=self._on_close,
            custom_ioloop=self._loop,
        )
        self._connection.add_on_connection_blocked_callback(lambda *_: self._set_blocked(True))
        self._connection.add_on_connection_unblocked_callback(lambda *_: self._set_blocked(False))
        self._heard = (0, time.monotonic())

    @classmethod
    def open(
        cls,
        candidates: Iterable[pika.ConnectionParameters],
        on_lost: Callable[[], None] = lambda: None,
        tick: Callable[[], bool] = lambda: True,
    ) -> "Link":
        """A link to the first of `candidates` that answers, or `LinkLost` with the last one's reason.

        `tick` runs about twice a second meanwhile; when it answers False the attempt is given up.
        """
        reason: BaseException | None = None
        for parameters in candidates:
            link = cls(parameters, on_lost)
            try:
                link._wait_open(tick)
            except LinkLost as error:
                link.close(0)
                reason = error
            else:
                return link
        raise LinkLost(str(reason or "no broker is configured"))

    def _wait_open(self, tick: Callable[[], bool]) -> None:
        while not self._opened:
            self.pump(0.5)
            if not tick():
                raise LinkLost("given up")

    def pump(self, seconds: float) -> None:
        """Turn the loop once, waiting at most about `seconds`; raises `LinkLost` once it is gone."""
        self._turn(seconds)
        if self.lost is not None:
            raise LinkLost(_reason(self.lost))
        if self._silent():
            self.give_up(f"the broker was silent for {SILENCE:.0f} s")

    @property
    def quiet(self) -> float:
        """Seconds since the last byte of the broker that a `pump` has read."""
        return time.monotonic() - self._heard[1]

    def give_up(self, reason: str) -> NoReturn:
        """Drop the connection without a word, for the broker would not hear it; raises `LinkLost`."""
        self._fail(LinkLost(reason))
        raise LinkLost(_reason(self.lost))

    def wake(self, callback: Callable[[], None]) -> None:
        """From any thread: run `callback` in the owner's, within its present or next `pump`."""
        self._loop.add_callback_threadsafe(callback)

    def write(self, frames: bytes) -> None:
        """Send whole frames of an open channel, as one write; nothing once the connection is gone."""
        if frames and self.lost is None:
            # pika's own publishing ends here too, with each frame by itself.
            self._connection._output_marshaled_frames([frames])  # noqa: SLF001

    def channel(self, seconds: float = 10.0) -> Channel:
        """A new channel, open."""
        opened: list[Channel] = []
        channel = self._connection.channel(on_open_callback=opened.append)
        channel.add_on_close_callback(self._closed.__setitem__)
        self.until(channel, lambda: bool(opened), seconds)
        return channel

    def call(
        self, channel: Channel, start: Callable[[Callable[[Any], None]], Any], seconds: float = 10.0
    ) -> Any:
        """Do one method with an answer: `start(done)` sends it; returns the answer's frame.

        Raises `ChannelLost` when the broker closes the channel for it, `LinkLost` for all else.
        """
        answers: list[Any] = []
        start(answers.append)
        self.until(channel, lambda: bool(answers), seconds)
        return answers[0]

    def until(self, channel: Channel, done: Callable[[], bool], seconds: float) -> None:
        """Pump until `done()`; raises `ChannelLost`, or `LinkLost` at the latest after `seconds`."""
        deadline = time.monotonic() + seconds
        while not done():
            if channel in self._closed:
                raise channel_lost(self._closed.pop(channel))
            if time.monotonic() >= deadline:
                self._fail(LinkLost(f"no answer within {seconds:.0f} s"))
            self.pump(0.5)

    def close(self, seconds: float = 2.0) -> None:
        """Close politely, for at most `seconds`, then cut; never raises. May be called again."""
        if self._shut:
            return
        self._shut = True
        try:
            if self.lost is None and seconds > 0:
                self._connection.close()
                deadline = time.monotonic() + seconds
                while not self._gone() and time.monotonic() < deadline:
                    self._turn(0.1)
        except Exception as error:  # noqa: BLE001 - whatever it is, the connection is to go
            self._fail(error)
        self._fail(LinkLost("closed"))
        self._loop.close()

    def _turn(self, seconds: float) -> None:
        if self.lost is not None:
            return
        self._arm(max(seconds, 0.0))
        try:
            self._loop.poll()
            self._loop.process_timeouts()
        except Exception as error:  # noqa: BLE001 - a loop that raised is in no known state
            self._fail(error)

    def _arm(self, seconds: float) -> None:
        """Have the loop return in time; one timer at most waits, since removed ones still wake it."""
        until = time.monotonic() + seconds
        if self._alarm is None or self._alarm > until:
            self._alarm = until
            self._loop.call_later(seconds, lambda: self._disarm(until))

    def _disarm(self, until: float) -> None:
        if self._alarm == until:
            self._alarm = None

    def _silent(self) -> bool:
        received = self._connection.bytes_received
        if received != self._heard[0]:
            self._heard = (received, time.monotonic())
        return self.quiet > SILENCE

    def _fail(self, error: Exception) -> None:
        """Drop the connection without a word to the broker."""
        if self.lost is not None:
            return
        try:
            # The one way to let go of a socket whose other end no longer answers.
            self._connection._terminate_stream(error)  # noqa: SLF001
            for _ in range(10):
                if self._gone():
                    break
                self._arm(0.0)
                self._loop.poll()
                self._loop.process_timeouts()
        except Exception:  # noqa: BLE001, S110 - it is being thrown away
            pass
        self._end(error)

    def _gone(self) -> bool:
        return self.lost is not None

    def _set_blocked(self, blocked: bool) -> None:
        self.blocked = blocked

    def _on_open(self, _connection: Any) -> None:
        self._opened = True

    def _on_close(self, _connection: Any, reason: Exception) -> None:
        self._end(reason)

    def _end(self, reason: BaseException) -> None:
        if self.lost is None:
            self.lost = reason
            if self._opened:  # an attempt that failed is no end: the next candidate may answer
                self._on_lost()


def channel_lost(reason: BaseException) -> LinkLost:
    """The error for a channel closed with `reason`."""
    if isinstance(reason, pika.exceptions.ChannelClosedByBroker):
        return ChannelLost(reason.reply_code, reason.reply_text)
    return LinkLost(_reason(reason))


def _reason(error: BaseException | None) -> str:
    """The reason in few words; pika's errors name hosts and codes, never credentials."""
    text = str(error) if isinstance(error, LinkLost) else repr(error)
    return text[:300]
