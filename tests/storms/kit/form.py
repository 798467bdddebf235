"""How much of a storm is run: the short form of `make test`, or the full counts of `make storm`.

``STORM=full`` asks for the full one; ``STORM_SEED`` repeats an earlier run's choices.
"""

import os
import random

FULL = os.environ.get("STORM") == "full"
#: Every choice of a run follows from it: which process, which moment, which order.
SEED = int(os.environ.get("STORM_SEED") or random.SystemRandom().randrange(1_000_000))


def either(*, short: int, full: int) -> int:
    """The count for this form."""
    return full if FULL else short


def at_most(pace: float) -> float:
    """Requests a second of a case that needs no more than some: beside other tests they cost them their cores."""
    return pace if FULL else min(pace, 12.0)


def dice(name: str) -> random.Random:
    """The dice of one case: the same for the same seed, whatever ran before."""
    return random.Random(f"{SEED}:{name}")


def patience(seconds: float) -> float:
    """A promised time: as it is in the full form; twice that among the crowd of other tests."""
    return seconds if FULL else 2 * seconds
