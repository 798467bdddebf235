"""What became of the messages, in Jepsen's words (reliability.md, "Storms")."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.stock.kit.subjects import Subject

#: Why a stock case that no longer fails fails the run.
MENDED = "stock Dramatiq mended this: update docs/promises.md and reconsider our own code"


@dataclass(frozen=True, slots=True)
class Counts:
    """Lost: accepted and never worked on. Unexpected: worked on and never accepted. Duplicated: copies too many."""

    attempted: int
    ok: int
    lost: int
    unexpected: int
    duplicated: int

    @property
    def good(self) -> bool:
        return (self.lost, self.unexpected, self.duplicated) == (0, 0, 0)


def count(subject: Subject) -> Counts:
    """By the ledger of what was done."""
    done = Counter(wanted for wanted, _ in subject.ledger())
    accepted = subject.accepted.keys()
    return Counts(
        attempted=len(accepted),
        ok=len(accepted),
        lost=len(accepted - done.keys()),
        unexpected=len(done.keys() - accepted),
        duplicated=sum(done[wanted] - 1 for wanted in accepted & done.keys()),
    )


def note(
    record: Callable[[str, object], None],
    subject: Subject,
    fault: str,
    case: str,
    *,
    faults: int,
    words: str = "",
    counts: Counts | None = None,
) -> None:
    """Record a case's counts for the run's summary."""
    found = counts or count(subject)
    record(
        "storm",
        {
            "fault": fault,
            "case": case,
            "subject": subject.name,
            "faults": faults,
            "attempted": found.attempted,
            "ok": found.ok,
            "lost": found.lost,
            "unexpected": found.unexpected,
            "duplicated": found.duplicated,
            "recovered": 0,
            "seed": None,
            "note": words,
        },
    )
