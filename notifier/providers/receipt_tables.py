"""What readers of receipts share: a provider's table of why a message did not arrive (a row of it is one in the
documentation), and what is asked of a signed request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from notifier.domain.lifecycle import Reason


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """Words of a provider's receipts that mean the same; `about` says what, in the provider's words made short."""

    said: tuple[str, ...]
    reason: Reason
    about: str


def by_word(rows: Sequence[ReceiptRow]) -> Mapping[str, Reason]:
    """Each word's reason; `ValueError` for a word that stands twice."""
    found: dict[str, Reason] = {}
    for row in rows:
        for word in row.said:
            if word in found:
                raise ValueError(f"{word} stands twice")
            found[word] = row.reason
    return found


def within(moment: float, now: float, window: float) -> bool:
    """Whether a signed `moment` is close enough to `now`, in seconds, either way.

    Nobody but the signer can set it, so one that lies ahead says only that our own clock is behind, and promise 12
    lets a host's clock be wrong by hours. An old one may be the provider's own retry, which no provider here says it
    signs anew, so `window` is never less than it retries for. A replay within it says once more what was said
    already, which changes nothing (`notifier.domain.receipts`).
    """
    return abs(now - moment) <= window


def header(headers: Mapping[str, str], name: str) -> str:
    """The first header called `name`, in any case; "" where there is none."""
    return next((text for one, text in headers.items() if one.lower() == name.lower()), "")
