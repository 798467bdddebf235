"""Provider accounts without a limit that are held all the same: their provider said to wait."""

import threading


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

    def hold(self, name: str, until: float, *, tell: bool = False) -> None:
        """From now on; `tell` the other processes."""
        with self._lock:
            self._until[name] = max(until, self.until(name))
            if tell:
                self._untold[name] = self._until[name]

    def untold(self) -> dict[str, float]:
        """What the others are still to be told."""
        with self._lock:
            return dict(self._untold)

    def told(self, name: str, until: float) -> None:
        """They have been."""
        with self._lock:
            if self._untold.get(name) == until:
                del self._untold[name]

    def used(self) -> set[str]:
        """The accounts that were asked for since the last call."""
        used, self._used = self._used, set()
        return used
