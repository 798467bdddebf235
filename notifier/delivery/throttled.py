"""Provider accounts without a limit that are held all the same: their provider said to wait."""

import threading
from collections.abc import Collection, Mapping


class Throttled:
    """Names of accounts and until when they are held, in seconds of the gate's clock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dict[str, float] = {}
        self._untold: dict[str, float] = {}
        self._used: set[str] = set()

    def held(self, name: str) -> bool:
        """Whether the account was ever held: the way of nearly all messages ends here."""
        self._used.add(name)
        return name in self._until

    def until(self, name: str) -> float:
        """Until when it is held; long ago where it is not."""
        return self._until.get(name, float("-inf"))

    def hold(self, name: str, until: float) -> None:
        """From now on; the other processes are to be told."""
        with self._lock:
            self._until[name] = self._untold[name] = max(until, self.until(name))

    def untold(self) -> dict[str, float]:
        """What the others are still to be told."""
        with self._lock:
            return dict(self._untold)

    def told(self, name: str, until: float) -> None:
        """They have been."""
        with self._lock:
            if self._untold.get(name) == until:
                del self._untold[name]

    def learn(self, names: Collection[str], found: Mapping[str, float], now: float) -> None:
        """What the others know of these accounts, in seconds from now; a person may have lifted it."""
        with self._lock:
            for name in names:
                if name in found:
                    self._until[name] = max(now + found[name], self._untold.get(name, 0.0))
                elif name not in self._untold:
                    self._until.pop(name, None)

    def used(self) -> set[str]:
        """The accounts that were asked for since the last call."""
        used, self._used = self._used, set()
        return used
