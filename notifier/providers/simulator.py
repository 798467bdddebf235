"""The provider of test keys: nothing leaves, and magic recipients force each ending there is.

No URL names it: each channel has exactly one such account, for test keys alone (`notifier.delivery.choosing`).
An ending hangs on the recipient and the attempt's number only, so each worker and each run answers the same.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from notifier.domain import simulator
from notifier.domain.ids import notification_id
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason, Status
from notifier.domain.magic import ending_of
from notifier.domain.notification import Outgoing
from notifier.domain.outcomes import Accepted, Answer, Deferred, Outcome, Refused, Uncertain
from notifier.domain.receipts import Receipt
from notifier.domain.simulator import Ending
from notifier.providers.base import Account, Deadline

#: Seconds until a soft bounce may be tried again: a mailbox that is full for a moment.
SOFT_BOUNCE_WAIT = 1.0
SOFT_BOUNCES = 2
#: Seconds that the answer to a throttle names.
THROTTLE_WAIT = 5.0
#: Seconds a slow answer takes.
SLOW_SECONDS = 30.0


class Report(StrEnum):
    """What a provider would report after it took the message."""

    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    COMPLAINT = "complaint"


#: What follows once a message was accepted; a recipient that forces nothing gets its message.
RECEIPTS: Mapping[Ending | None, Sequence[Report]] = {
    **dict.fromkeys((None, *Ending), (Report.DELIVERED,)),
    Ending.UNDELIVERED: (Report.UNDELIVERED,),
    Ending.COMPLAINT: (Report.DELIVERED, Report.COMPLAINT),
}


def receipts_of(ending: Ending | None, reference: str) -> tuple[Receipt, ...]:
    """The receipts of a message that was accepted under `reference`, in their order."""
    return tuple(_receipt(report, reference) for report in RECEIPTS[ending])


def _receipt(report: Report, reference: str) -> Receipt:
    match report:
        case Report.DELIVERED:
            return Receipt(reference, Status.DELIVERED)
        case Report.UNDELIVERED:
            code = f"simulated {report}"
            return Receipt(reference, Status.UNDELIVERED, Reason.UNREACHABLE_RECIPIENT, code)
        case Report.COMPLAINT:
            code = f"simulated {report}"
            return Receipt(reference, Status.DELIVERED, Reason.RECIPIENT_OPTED_OUT, code)


@dataclass(frozen=True, slots=True)
class Answered:
    """One simulated call: how it ends, and how many seconds it takes."""

    outcome: Outcome
    seconds: float = 0.0


def _answer(ending: Ending | None, text: str) -> Answer:
    """No real provider's code: an operator's NOTIFIER_ANSWER_RULES for those must not change what is forced."""
    return Answer(f"simulated {ending or Ending.DELIVERED}", text)


_ALWAYS = {
    Ending.BOUNCE: Answered(
        Refused(Reason.INVALID_RECIPIENT, _answer(Ending.BOUNCE, "no such recipient, as 550 5.1.1"))
    ),
    Ending.TIMEOUT: Answered(Uncertain(answer=Answer(text="no answer came"))),
}


def answer_to(ending: Ending | None, attempt: int, reference: str, limit: float) -> Answered:
    """What the simulator answers to the attempt of this number (1 is the first) within `limit` seconds."""
    accepted = Accepted(reference, _answer(ending, "accepted"), receipts_of(ending, reference))
    match ending:
        case Ending.BOUNCE | Ending.TIMEOUT:
            return _ALWAYS[ending]
        case Ending.SOFT_BOUNCE if attempt <= SOFT_BOUNCES:
            answer = _answer(ending, "the mailbox is full, as 452 4.2.2")
            return Answered(Deferred(Reason.PROVIDER_UNAVAILABLE, SOFT_BOUNCE_WAIT, answer))
        case Ending.THROTTLED if attempt == 1:
            # Of this message only: whoever tests a throttle must not hold up everybody's tests.
            answer = _answer(ending, "too many requests, as 429")
            return Answered(Deferred(Reason.THROTTLED, THROTTLE_WAIT, answer, one_connection=True))
        case Ending.SLOW if limit < SLOW_SECONDS:
            return Answered(Uncertain(answer=Answer(text="no answer came before the deadline")), limit)
        case Ending.SLOW:
            return Answered(accepted, SLOW_SECONDS)
    return Answered(accepted)


class Simulator:
    """A `Provider` that opens no socket; `wait` makes a slow answer slow."""

    def __init__(self, wait: Callable[[float], object] = time.sleep) -> None:
        self._wait = wait

    def send(self, outgoing: Outgoing, deadline: Deadline) -> Outcome:
        """The ending that the recipient forces; `Accepted` for any other."""
        if deadline.passed:
            return Deferred(Reason.PROVIDER_TIMEOUT)
        # The attempt's number makes a reference that no other attempt has.
        reference = f"simulated-{notification_id(outgoing.id)}-{outgoing.attempt}"
        found = answer_to(ending_of(outgoing.recipient), outgoing.attempt, reference, deadline.remaining())
        if found.seconds:
            self._wait(found.seconds)
        return found.outcome

    def close(self) -> None:
        """Nothing is held."""


def accounts(timeout: float) -> dict[Channel, Account]:
    """Each channel's simulator, whose calls take `timeout` seconds at the longest."""
    return {
        channel: Account(name=simulator.NAME, channel=channel, timeout=timeout, build=Simulator)
        for channel in Channel
    }
