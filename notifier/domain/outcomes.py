"""How an attempt ends, as values: Accepted, Deferred, Refused or Uncertain.

A provider never raises for an expected ending; it returns one of these, each with the provider's
raw answer (already cut and with secrets and addresses masked by the provider's module).
"""

from dataclasses import dataclass, field

from notifier.domain.lifecycle import Reason
from notifier.domain.receipts import Receipt


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider said: its `code` and `text`, cut to 500 characters and masked."""

    code: str = ""
    text: str = ""


NO_ANSWER = Answer()


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took it; `reference` is its own id for the message ("" where it gives none).

    `follows` are the receipts that will come: only the simulator knows them beforehand.
    """

    reference: str = ""
    answer: Answer = field(default=NO_ANSWER)
    follows: tuple[Receipt, ...] = ()

    @property
    def reason(self) -> None:
        """A success needs no reason."""
        return


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now: worth another try. `not_before` is in seconds from the answer, never undercut.

    A throttle speaks of the whole account, so that all its messages wait, unless `one_connection` was sent away.
    """

    reason: Reason
    not_before: float | None = None
    answer: Answer = field(default=NO_ANSWER)
    one_connection: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Never: another try would end the same way."""

    reason: Reason
    answer: Answer = field(default=NO_ANSWER)


@dataclass(frozen=True, slots=True)
class Uncertain:
    """Nobody knows: the request was written and no answer came."""

    reason: Reason = Reason.UNCERTAIN
    answer: Answer = field(default=NO_ANSWER)


Outcome = Accepted | Deferred | Refused | Uncertain
