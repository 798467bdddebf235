"""What to do with a claim that ended without an outcome: pure, over the row's counts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifier.domain.lifecycle import OnUncertain, Reason, Status
from notifier.storage.attempts import ENDED_UNHEARD


@dataclass(frozen=True, slots=True)
class Limits:
    """`poison_claims` in a row without any outcome are a poison; `resends` bounds sending again."""

    poison_claims: int = 3
    resends: int = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where the row goes: `SENDING` means that the next claim may take it over."""

    status: Status
    reason: Reason | None


def judge(*, claims_unended: int, uncertain_count: int, on_uncertain: OnUncertain, limits: Limits) -> Verdict:
    """The row's next state; `uncertain_count` does not yet include the claim that just ended."""
    if claims_unended >= limits.poison_claims:
        return Verdict(Status.FAILED, Reason.POISON)
    if on_uncertain is OnUncertain.HOLD:
        return Verdict(Status.HELD, Reason.UNCERTAIN)
    if uncertain_count + 1 > limits.resends:
        return Verdict(Status.FAILED, Reason.UNCERTAIN)
    return Verdict(Status.SENDING, None)


def abandoned_attempt(row: Any, started_at: datetime) -> dict[str, Any]:
    """The attempt of a claim whose owner died, as the API shows it: nobody knows how it ended."""
    return {
        "n": row.attempt,
        "provider": row.claimed_provider or None,
        "started_at": started_at.isoformat(),
        "duration_ms": None,
        "outcome": "uncertain",
        "reason": str(Reason.UNCERTAIN),
        "possible_duplicate": row.uncertain_count > 0,
        "code": None,
        "answer": ENDED_UNHEARD,
        "reference": None,
        "next_attempt_at": None,
        "claim_id": row.claim_id,
    }
