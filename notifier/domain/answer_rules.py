"""What a provider's code means where the operator knows better than the provider's table: pure.

Providers adjust their codes (Twilio advises against logic on them, changelog of 2024-07-10), so each module's
table can be overridden by Settings: ``email:550 5.7.1=retry`` for one code, ``email:550=permanent`` for all
that begin with the word. Only what a provider said is judged anew: a call that brought no answer stays what it is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Answer, Deferred, Outcome, Refused, Uncertain

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,29}( [A-Za-z0-9][A-Za-z0-9._-]{0,29})?")


class AnswerClass(StrEnum):
    """The classes of `reliability.md`, "What a provider's answer means"."""

    RETRY = "retry"
    THROTTLE = "throttle"
    PERMANENT = "permanent"
    INVALID = "invalid"
    CONFIG = "config"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class AnswerCode:
    """A code of a channel's providers, as attempts show it: ``550 5.7.1``, or its first word for all such."""

    channel: Channel
    code: str

    def __str__(self) -> str:
        """As Settings name it."""
        return f"{self.channel}:{self.code}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The code of ``email:550 5.7.1``; raises `ValueError` for anything else."""
        channel, _, code = text.partition(":")
        if not _CODE.fullmatch(code):
            raise ValueError(text)
        return cls(Channel(channel), code)


@dataclass(frozen=True, slots=True)
class AnswerRules:
    """The operator's classes by code; without any every outcome stays as the provider's module made it."""

    classes: Mapping[AnswerCode, AnswerClass] = field(default_factory=dict)

    def judge(self, channel: Channel, outcome: Outcome) -> Outcome:
        """The outcome as the operator sees it; a whole code goes before its first word."""
        if not self.classes or not isinstance(outcome, Deferred | Refused) or not outcome.answer.code:
            return outcome
        code = outcome.answer.code
        for named in (code, code.partition(" ")[0]):
            found = self.classes.get(AnswerCode(channel, named))
            if found is not None:
                return _as(found, outcome)
        return outcome


def _as(found: AnswerClass, outcome: Deferred | Refused) -> Outcome:
    answer: Answer = outcome.answer
    asked = outcome.not_before if isinstance(outcome, Deferred) else None
    match found:
        case AnswerClass.RETRY:
            return Deferred(Reason.PROVIDER_UNAVAILABLE, asked, answer)
        case AnswerClass.THROTTLE:
            return Deferred(Reason.THROTTLED, asked, answer)
        case AnswerClass.CONFIG:
            return Deferred(Reason.AUTH_FAILED, asked, answer)
        case AnswerClass.PERMANENT:
            return Refused(Reason.PROVIDER_REJECTED, answer)
        case AnswerClass.INVALID:
            return Refused(Reason.INVALID_RECIPIENT, answer)
        case AnswerClass.UNKNOWN:
            return Uncertain(answer=answer)
