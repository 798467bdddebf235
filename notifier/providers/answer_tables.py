"""A provider's own table of codes: what each means, and the row of it in the documentation.

An outcome stands in a row without its answer; `tries` bounds how often what the row defers is tried before it
is `then` refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Answer, Deferred, Outcome, Refused, Uncertain


@dataclass(frozen=True, slots=True)
class Row:
    """Codes that mean the same; `about` says what, in the provider's words made short."""

    codes: tuple[str, ...]
    outcome: Deferred | Refused
    about: str
    tries: int | None = None
    then: Reason = Reason.PROVIDER_REJECTED


def by_code(rows: Sequence[Row]) -> Mapping[str, Row]:
    """Each code's row; `ValueError` for a code that stands twice."""
    found: dict[str, Row] = {}
    for row in rows:
        for code in row.codes:
            if code in found:
                raise ValueError(f"the code {code} stands twice")
            found[code] = row
    return found


def outcome_of(
    row: Row, answer: Answer, *, attempt: int, not_before: float | None = None
) -> Deferred | Refused:
    """The row's outcome for the attempt of this number; the longer of its wait and the one asked for counts."""
    outcome = row.outcome
    if isinstance(outcome, Refused):
        return replace(outcome, answer=answer)
    if row.tries is not None and attempt >= row.tries:
        return Refused(row.then, answer)
    waits = [wait for wait in (outcome.not_before, not_before) if wait is not None]
    return replace(outcome, not_before=max(waits, default=None), answer=answer)


def in_words(row: Row) -> str:
    """The row's outcome for the documentation: ``deferred `throttled`, 60 s at least``."""
    words = outcome_in_words(row.outcome)
    return words if row.tries is None else f"{words}; from try {row.tries} on refused `{row.then}`"


def outcome_in_words(outcome: Outcome) -> str:
    """``refused `invalid_recipient```."""
    match outcome:
        case Deferred(reason, None):
            return f"deferred `{reason}`"
        case Deferred(reason, seconds):
            return f"deferred `{reason}`, {seconds:g} s at least"
        case Refused(reason):
            return f"refused `{reason}`"
        case Uncertain():
            return "uncertain"
        case _:
            return "accepted"
