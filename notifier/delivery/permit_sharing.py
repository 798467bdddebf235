"""Which of the permits at hand are set aside for which priority; not thread-safe, its stock is."""

from collections.abc import Sequence

from notifier.domain.permit_shares import share


class Sharing:
    """Sequences go by priority, high first. `needs` are the messages that wait, as of the keeper's last look."""

    def __init__(self, weights: Sequence[float]) -> None:
        self._weights = tuple(weights)
        self.needs = [0] * len(self._weights)
        self._aside = [0] * len(self._weights)
        self._carried = [0.0] * len(self._weights)
        #: Whom the last sharing knew of.
        self._known = [False] * len(self._weights)

    def share(self, permits: int) -> None:
        """Set so many aside anew for those who need them."""
        self._known = [need > 0 for need in self.needs]
        if not (permits and any(self._known)):
            # Nothing is shared, so no remainder is settled.
            self._aside = [0] * len(self._weights)
            return
        self._aside, self._carried = share(permits, self.needs, self._weights, self._carried)

    def may(self, rank: int, permits: int) -> bool:
        """Whether one of so many permits at hand is this priority's.

        Who was not known when they were shared has them shared anew; who was may have what is set aside for
        nobody, or has to wait for the next.
        """
        if not self._aside[rank] and not self._known[rank]:
            self.needs[rank] = 1
            self.share(permits)
        if not self._aside[rank] and sum(self._aside) < permits:
            self._aside[rank] = 1
        return self._aside[rank] > 0

    def took(self, rank: int) -> None:
        """One of its permits is used."""
        self._aside[rank] -= 1
        self.needs[rank] = max(0, self.needs[rank] - 1)

    def came_back(self, rank: int) -> None:
        """One of its permits was not used after all."""
        self._aside[rank] += 1

    def keep_to(self, permits: int) -> None:
        """Some are gone without having been taken: whoever has most set aside loses first."""
        while sum(self._aside) > permits:
            self._aside[self._aside.index(max(self._aside))] -= 1
