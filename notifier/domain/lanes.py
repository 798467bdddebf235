"""A lane is a (channel, priority) pair: one queue, one actor, one line in every table.

`Lane.all` is the only list of lanes; nothing else counts them. Some channels always have lanes, others only where
somebody set a provider for them: whoever asks says which channels those are (`channels_with`), so that the answer
hangs on nothing but the question (docs/decisions/0017-chat-lanes.md).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Channel(StrEnum):
    """How a notification reaches its recipient."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    CHAT = "chat"


#: Channels that have their lanes whatever is set.
STANDING = (Channel.EMAIL, Channel.SMS, Channel.PUSH)


def channels_with(providers: Mapping[Channel, Collection[object]]) -> tuple[Channel, ...]:
    """The channels that have lanes where these providers are set: the standing ones, others only with a provider."""
    return tuple(one for one in Channel if one in STANDING or providers.get(one))


class Priority(StrEnum):
    """How soon a notification matters; each priority has its own lanes, retries and default ttl."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Lane:
    """One channel at one priority.

    >>> Lane(Channel.EMAIL, Priority.HIGH).name
    'email.high'
    """

    channel: Channel
    priority: Priority

    @property
    def name(self) -> str:
        """The lane's name in queues, logs, metrics and messages: ``channel.priority``."""
        return f"{self.channel}.{self.priority}"

    @property
    def actor(self) -> str:
        """The name of the lane's Dramatiq actor."""
        return f"{self.channel}_{self.priority}"

    def queue(self, prefix: str) -> str:
        """The name of the lane's queue under `prefix`, as in ``notifier.v1.email.high``."""
        return f"{prefix}.{self.name}"

    @classmethod
    def parse(cls, name: str) -> Self:
        """The lane called `name`; raises `ValueError` for anything that is no lane."""
        channel, _, priority = name.partition(".")
        return cls(Channel(channel), Priority(priority))

    @classmethod
    def all(cls, channels: Iterable[Channel] = STANDING) -> tuple["Lane", ...]:
        """Every lane of these channels, channel by channel, high first.

        The service asks for the channels in use (`Settings.channels`); without any these are the lanes that there
        always are.
        """
        return tuple(Lane(channel, priority) for channel in channels for priority in Priority)

    def __str__(self) -> str:
        return self.name
