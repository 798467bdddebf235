"""From an outcome to the record of it: pure, with the policy, the dice and the database's time handed in."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from notifier.domain.lifecycle import OnUncertain, Reason, Status
from notifier.domain.outcomes import Accepted, Deferred, Outcome, Refused, Uncertain
from notifier.domain.receipts import kept_reference
from notifier.domain.retries import Decision, GiveUp, RetryPolicy, Wait, spends_attempt
from notifier.domain.texts import storable
from notifier.storage.claiming import Claimed
from notifier.storage.provider_states import ProviderKey
from notifier.storage.receipts import Reported
from notifier.storage.recording import Record

_NAMES = {Accepted: "accepted", Deferred: "deferred", Refused: "refused", Uncertain: "uncertain"}

#: What a refusal makes of the notification; any other reason makes it failed.
_REFUSED_STATUS = {Reason.EXPIRED: Status.EXPIRED, Reason.SUPPRESSED: Status.SUPPRESSED}

_ANSWER_LIMIT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """One attempt that has ended: which account, how, and when by the database's clock."""

    claimed: Claimed
    provider: str
    outcome: Outcome
    started_at: datetime
    now: datetime
    duration_ms: int
    #: Whether the account reports later what became of its messages.
    reports: bool = False


def record_of(ended: Ended, policy: RetryPolicy, *, jitter: float) -> Record:
    """Where the notification goes after this attempt, by the rules; `jitter` is in [0, 1)."""
    claimed, outcome = ended.claimed, ended.outcome
    spent = isinstance(outcome, Accepted) or spends_attempt(outcome.reason)
    status, reason, due = _fate(ended, policy, jitter)
    return Record(
        id=claimed.id,
        tenant=claimed.tenant,
        claim_id=claimed.claim_id,
        attempt=claimed.attempt if spent else claimed.attempt - 1,
        status=status,
        reason=None if reason is None else str(reason),
        next_attempt_at=due,
        shown=_shown(ended, due),
        uncertain=int(isinstance(outcome, Uncertain)),
        has_former=claimed.has_former,
        awaits=_awaits(ended),
        follows=_follows(ended),
    )


def _awaits(ended: Ended) -> str | None:
    outcome = ended.outcome
    if not isinstance(outcome, Accepted) or not (ended.reports or outcome.follows):
        return None
    return kept_reference(outcome.reference)


def _follows(ended: Ended) -> tuple[Reported, ...]:
    if not isinstance(ended.outcome, Accepted):
        return ()
    key = ProviderKey(ended.claimed.lane.channel, ended.provider)
    return tuple(Reported(key, receipt) for receipt in ended.outcome.follows)


def _fate(ended: Ended, policy: RetryPolicy, jitter: float) -> tuple[Status, Reason | None, datetime | None]:
    claimed = ended.claimed
    match ended.outcome:
        case Accepted():
            return Status.SENT, None, None
        case Refused(reason):
            return _REFUSED_STATUS.get(reason, Status.FAILED), reason, None
        case Uncertain() if claimed.on_uncertain is OnUncertain.HOLD:
            return Status.HELD, Reason.UNCERTAIN, None
        case Uncertain():
            return _after(_decide(ended, policy, Reason.UNCERTAIN, jitter), Reason.UNCERTAIN, ended.now)
        case Deferred(reason, not_before):
            return _after(_decide(ended, policy, reason, jitter, not_before), reason, ended.now)


def _decide(
    ended: Ended, policy: RetryPolicy, reason: Reason, jitter: float, not_before: float | None = None
) -> Decision:
    claimed = ended.claimed
    return policy.decide(
        claimed.lane.channel,
        claimed.lane.priority,
        reason,
        claimed.attempt,
        jitter=jitter,
        not_before=not_before,
        seconds_left=(claimed.expires_at - ended.now).total_seconds(),
        uncertain=claimed.uncertain_count + 1,
    )


def _after(
    decision: Decision, reason: Reason, now: datetime
) -> tuple[Status, Reason | None, datetime | None]:
    match decision:
        case Wait(seconds):
            return Status.QUEUED, reason, now + timedelta(seconds=seconds)
        case GiveUp(Reason.EXPIRED):
            # The state says that time ran out, the reason why nothing got through until then.
            return Status.EXPIRED, reason, None
        case GiveUp(final):
            return Status.FAILED, final, None


def _shown(ended: Ended, due: datetime | None) -> dict[str, Any]:
    outcome, claimed = ended.outcome, ended.claimed
    return {
        "n": claimed.attempt,
        "provider": ended.provider,
        "started_at": ended.started_at.isoformat(),
        "duration_ms": ended.duration_ms,
        "outcome": _NAMES[type(outcome)],
        "reason": None if outcome.reason is None else str(outcome.reason),
        "possible_duplicate": claimed.uncertain_count > 0,
        "code": storable(outcome.answer.code)[:40] or None,
        "answer": storable(outcome.answer.text)[:_ANSWER_LIMIT] or None,
        "reference": kept_reference(outcome.reference) if isinstance(outcome, Accepted) else None,
        "next_attempt_at": None if due is None else due.isoformat(),
        "claim_id": claimed.claim_id,
    }


def expired(claimed: Claimed) -> Record:
    """Its time was over when it was claimed: no call is made and no attempt spent."""
    return Record(
        id=claimed.id,
        tenant=claimed.tenant,
        claim_id=claimed.claim_id,
        attempt=claimed.attempt - 1,
        status=Status.EXPIRED,
        reason=str(Reason.EXPIRED),
    )


def suppressed(claimed: Claimed) -> Record:
    """Its recipient was suppressed by the time it was claimed: no call is made and no attempt spent."""
    return replace(expired(claimed), status=Status.SUPPRESSED, reason=str(Reason.SUPPRESSED))


def given_back(claimed: Claimed, now: datetime, *, wait: float = 0.0) -> Record:
    """The claim returns unused: queued and due in `wait` seconds, no attempt spent."""
    return Record(
        id=claimed.id,
        tenant=claimed.tenant,
        claim_id=claimed.claim_id,
        attempt=claimed.attempt - 1,
        status=Status.QUEUED,
        next_attempt_at=now + timedelta(seconds=wait),
    )


def crashed(claimed: Claimed, now: datetime, *, poison_claims: int, wait: float) -> Record:
    """Our code failed on it before anything was sent: again after `wait` seconds, or poison."""
    poison = claimed.claims_unended >= poison_claims
    return Record(
        id=claimed.id,
        tenant=claimed.tenant,
        claim_id=claimed.claim_id,
        attempt=claimed.attempt,
        status=Status.FAILED if poison else Status.QUEUED,
        reason=str(Reason.POISON) if poison else None,
        next_attempt_at=None if poison else now + timedelta(seconds=wait),
        unended=True,
    )
