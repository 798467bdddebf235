"""Publishing to RabbitMQ: any thread hands over groups, one thread per process writes them.

See `rabbitmq_publishing` for the thread. It starts with the first use in a process, so a publisher
made before a fork is safe after it.
"""

import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future

from notifier.domain.lanes import STANDING, Lane
from notifier.queueing.messages import QueueMessage
from notifier.queueing.rabbitmq_confirms import Group
from notifier.queueing.rabbitmq_options import PublisherOptions
from notifier.queueing.rabbitmq_parameters import parameters
from notifier.queueing.rabbitmq_publishing import Act, PublisherThread
from notifier.queueing.rabbitmq_topology import Topology


class RabbitmqPublisher:
    """A `Publisher` over one connection with pipelined confirms (`mandatory`, persistent).

    `window` messages may be unconfirmed at once, `limit` may wait; a group that is not confirmed within
    `confirm_seconds` fails with `NotConfirmed`. The queues of `lanes` are declared on every connection.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str,
        confirm_seconds: float = 5.0,
        window: int = 200,
        limit: int = 50_000,
        topology: Topology | None = None,
        lanes: Sequence[Lane] | None = None,
        ca_file: str | None = None,
    ) -> None:
        self._prefix = prefix
        lanes = Lane.all(STANDING) if lanes is None else lanes
        candidates = parameters(url, ca_file=ca_file, name="notifier publisher")
        for candidate in candidates:
            # An alarm is waited out on the same connection (deadlines are our own): each new one
            # would take one more copy of what we publish before it is blocked, too.
            candidate.blocked_connection_timeout = None
        self._options = PublisherOptions(
            candidates=candidates,
            queue_names=[lane.queue(prefix) for lane in lanes],
            topology=topology or Topology(),
            confirm_seconds=confirm_seconds,
            window=window,
            limit=limit,
        )
        self._lock = threading.Lock()
        self._thread: tuple[int, PublisherThread] | None = None
        self._closed = False

    def start(self) -> None:
        """Connect now instead of at the first publish; returns at once."""
        self._running()

    @property
    def connected(self) -> bool:
        """Whether the broker answered within the last 2 s and takes messages; False before the start."""
        thread = self._thread
        return thread is not None and thread[0] == os.getpid() and thread[1].connected

    def publish(self, messages: Sequence[QueueMessage]) -> "Future[None]":
        """Resolves when every message is confirmed; fails with `NotConfirmed` when any is not."""
        group = Group(
            [(message.lane.queue(self._prefix), message.encode(self._prefix)) for message in messages],
            time.monotonic() + self._options.confirm_seconds,
        )
        if messages:
            self._running().submit(group)
        return group.future

    def call(self, act: Act) -> "Future[object]":
        """Do something else over the publishing connection, in its thread."""
        return self._running().call(act)

    def close(self) -> None:
        """Wait at most the confirm deadline for what is under way, then let go of the connection."""
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is not None and thread[0] == os.getpid():
            thread[1].finish(self._options.confirm_seconds)

    def __repr__(self) -> str:
        hosts = ", ".join(str(candidate.host) for candidate in self._options.candidates)
        return f"<RabbitmqPublisher {hosts}>"

    def _running(self) -> PublisherThread:
        thread = self._thread
        if thread is not None and thread[0] == os.getpid():
            return thread[1]
        with self._lock:
            if self._thread is None or self._thread[0] != os.getpid():
                made = PublisherThread(self._options)
                self._thread = (os.getpid(), made)
                if self._closed:
                    made.finish(0.0)
                else:
                    made.start()
            return self._thread[1]
