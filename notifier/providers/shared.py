"""What all threads of a process share for one account, though each builds a provider of its own."""

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_Value = TypeVar("_Value")


class Shared(Generic[_Value]):
    """One value for each key, made by the first who asks. Kept for the process's life: there are few accounts."""

    def __init__(self) -> None:
        self._values: dict[Hashable, _Value] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], _Value]) -> _Value:
        """The value of `key`; what `make` raises, and then nothing is kept."""
        with self._lock:
            if key not in self._values:
                self._values[key] = make()
            return self._values[key]
