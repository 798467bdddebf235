"""Has the `dramatiq` launcher fork a relay beside its workers."""

from collections.abc import Callable

import dramatiq


class RelayFork(dramatiq.Middleware):
    """`main` is a module-level function that builds its own parts: the launcher imports it by its name."""

    def __init__(self, main: Callable[[], int]) -> None:
        self._main = main

    @property
    def forks(self) -> "list[Callable[[], int]]":
        """What the launcher is to fork."""
        return [self._main]
