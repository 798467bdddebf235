"""A lane is a (channel, priority) pair: one queue, one actor, one line in every table.

`Lane.all()` is the only list of lanes; nothing else counts them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Channel(StrEnum):
    """How a notification reaches its recipient."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"


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
    def all(cls) -> tuple["Lane", ...]:
        """Every lane, channel by channel, high first."""
        return tuple(Lane(channel, priority) for channel in Channel for priority in Priority)

    def __str__(self) -> str:
        return self.name
