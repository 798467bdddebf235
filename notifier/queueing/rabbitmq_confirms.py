"""Which published groups are confirmed: the bookkeeping of pipelined confirms, without a network.

The broker numbers the messages of a channel 1, 2, 3 … and answers with acks and nacks, one by one or
up to a number (``multiple``), in any order. A message it can't route it first returns, then acks.
"""

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future

from notifier.domain.errors import NotConfirmed


class Group:
    """Messages that are confirmed together: ``(queue, body)`` pairs and the future that tells."""

    __slots__ = ("deadline", "future", "messages", "next", "unconfirmed")

    def __init__(self, messages: Sequence[tuple[str, bytes]], deadline: float) -> None:
        self.messages = messages
        self.deadline = deadline
        self.next = 0
        self.unconfirmed = len(messages)
        self.future: Future[None] = Future()
        # From here on nobody can cancel it: what is published can't be taken back.
        self.future.set_running_or_notify_cancel()
        if not messages:
            self.future.set_result(None)

    @property
    def over(self) -> bool:
        """Whether the future is resolved."""
        return self.future.done()

    def confirm(self) -> None:
        """One of its messages was confirmed."""
        self.unconfirmed -= 1
        if self.unconfirmed == 0 and not self.over:
            self.future.set_result(None)

    def fail(self, reason: str) -> None:
        """It will not be confirmed as a whole."""
        if not self.over:
            self.future.set_exception(NotConfirmed(reason))


class _Sent:
    __slots__ = ("at", "body", "group", "returned")

    def __init__(self, group: Group, body: bytes, at: float) -> None:
        self.group = group
        self.body = body
        self.at = at
        self.returned = False


class Confirms:
    """The messages in flight on one channel, oldest first; lives in the publisher's thread."""

    def __init__(self) -> None:
        self._sequence = 0
        self._flying: OrderedDict[int, _Sent] = OrderedDict()

    def __len__(self) -> int:
        return len(self._flying)

    def sent(self, group: Group, body: bytes, at: float) -> None:
        """The next message of the channel was written at the moment `at`."""
        self._sequence += 1
        self._flying[self._sequence] = _Sent(group, body, at)

    def oldest(self) -> float | None:
        """When the oldest message in flight was written."""
        return next(iter(self._flying.values())).at if self._flying else None

    def returned(self, body: bytes) -> None:
        """The broker had no queue for the message with this body; its ack follows and does not count."""
        for sent in self._flying.values():
            if sent.body == body:
                sent.returned = True

    def answer(self, tag: int, multiple: bool, taken: bool) -> int:
        """The broker answered message `tag`, or all up to it; returns how many that were."""
        if not multiple:
            sent = self._flying.pop(tag, None)
            if sent is None:
                return 0
            self._end(sent, taken)
            return 1
        ended = 0
        while self._flying and next(iter(self._flying)) <= tag:
            self._end(self._flying.popitem(last=False)[1], taken)
            ended += 1
        return ended

    def fail_all(self, reason: str) -> None:
        """Nothing more will be heard of those in flight: whether they were taken is unknown."""
        for sent in self._flying.values():
            sent.group.fail(reason)

    def restart(self, at: float) -> None:
        """Count the deadline of those in flight from `at`: the broker reads again after an alarm."""
        for sent in self._flying.values():
            sent.at = at

    @staticmethod
    def _end(sent: _Sent, taken: bool) -> None:
        if sent.returned:
            sent.group.fail("the broker has no such queue")
        elif not taken:
            sent.group.fail("the broker refused a message")
        else:
            sent.group.confirm()
