"""A provider that writes each call down and accepts everything, at once or after its channel's seconds."""

import time

from benchmarks import calls
from benchmarks.calls import CallWriter
from notifier.domain.ids import notification_id
from notifier.domain.lanes import Channel
from notifier.domain.notification import Outgoing
from notifier.domain.outcomes import Accepted, Outcome
from notifier.providers.base import Deadline, ProviderDefaults
from notifier.providers.urls import ProviderUrl


class InstantProvider:
    """`send` takes some microseconds, and then `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._calls = CallWriter()
        self._seconds = seconds

    def send(self, outgoing: Outgoing, deadline: Deadline) -> Outcome:
        """Accept it."""
        name = notification_id(outgoing.id)
        self._calls.called(name)
        if self._seconds:
            time.sleep(self._seconds)
        return Accepted(name)

    def close(self) -> None:
        """Let go of the ledger."""
        self._calls.close()


def build(url: ProviderUrl, channel: Channel, defaults: ProviderDefaults) -> InstantProvider:
    """What the registry calls, once for each thread."""
    return InstantProvider(calls.seconds(str(channel)))
