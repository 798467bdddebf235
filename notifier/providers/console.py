"""A provider for development: it prints each message on one line instead of sending it.

It shows addresses and content, so it is no provider for real messages.
"""

import itertools
import sys
import threading
from datetime import UTC, datetime
from typing import TextIO

from notifier.domain.ids import notification_id
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Outgoing
from notifier.domain.outcomes import Accepted, Answer, Deferred, Outcome
from notifier.domain.recipients import ChatDestination, EmailAddress, PhoneNumber, Recipient
from notifier.providers.base import Deadline, ProviderDefaults
from notifier.providers.captured import Captured, CapturedMessage
from notifier.providers.urls import ProviderUrl

_TEXT_WIDTH = 72
_TOKEN_WIDTH = 12
#: Threads share the stream and the numbering, so that no line is torn and no reference is used twice.
_lock = threading.Lock()
_numbers = itertools.count(1)


def build(url: ProviderUrl, channel: Channel, defaults: ProviderDefaults) -> "Console":
    """The console provider that `url` describes."""
    return Console(channel, url.name, defaults.console_stream, defaults.capture)


class Console:
    """Prints to `stream` (None: the standard output of the moment) and keeps in `capture`, if any."""

    def __init__(
        self,
        channel: Channel,
        name: str = "console",
        stream: TextIO | None = None,
        capture: Captured | None = None,
    ) -> None:
        self._channel, self._name, self._stream, self._capture = channel, name, stream, capture

    def send(self, outgoing: Outgoing, deadline: Deadline) -> Outcome:
        """Print one line; `Deferred` when the stream is gone or the deadline has passed."""
        if deadline.passed:
            return Deferred(Reason.PROVIDER_TIMEOUT)
        stream = self._stream or sys.stdout
        try:
            with _lock:
                reference = f"console-{next(_numbers)}"
                stream.write(_fitting(line_of(self._channel, outgoing), stream) + "\n")
                stream.flush()
        except (OSError, ValueError):  # a closed stream raises ValueError
            return Deferred(Reason.PROVIDER_UNAVAILABLE, answer=Answer(text="the output can't be written"))
        if self._capture is not None:
            self._capture.add(
                CapturedMessage.of(datetime.now(UTC), self._name, self._channel, reference, outgoing)
            )
        return Accepted(reference)

    def close(self) -> None:
        """Nothing is held."""


def line_of(channel: Channel, outgoing: Outgoing) -> str:
    """``email ntf_… to <ada@example.com>: subject | text``, with everything unprintable escaped."""
    content = outgoing.content
    head = content.subject or content.title
    text = content.text if content.text is not None else content.html
    said = " | ".join(_cut(part) for part in (head, text) if part)
    return f"{channel} {notification_id(outgoing.id)} to {_shown(outgoing.recipient)}: {said}"


def _shown(recipient: Recipient) -> str:
    match recipient:
        case EmailAddress(address, None):
            return f"<{_escaped(address)}>"
        case EmailAddress(address, name):
            return f"{_escaped(name or '')} <{_escaped(address)}>"
        case PhoneNumber(number):
            return _escaped(number)
        case ChatDestination(name):
            return _escaped(name)
        case _:
            return f"{recipient.platform} {_escaped(recipient.token[:_TOKEN_WIDTH])}…"


def _cut(text: str) -> str:
    return _escaped(text if len(text) <= _TEXT_WIDTH else text[: _TEXT_WIDTH - 1] + "…")


def _escaped(text: str) -> str:
    """Line ends and terminal sequences in their escaped spelling: one message can't look like another."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode()
        for char in text
    )


def _fitting(line: str, stream: TextIO) -> str:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return line.encode(encoding, "backslashreplace").decode(encoding)
