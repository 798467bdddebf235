"""Which lanes an operator has paused, as storage says it: asked again with every beat of a worker."""

from collections.abc import Callable

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from notifier.storage import lane_controls

log = structlog.get_logger("notifier.lanes")


class Pauses:
    """Tells `apply` the names of the paused lanes; while storage is silent what was known goes on."""

    def __init__(self, engine: Engine, apply: Callable[[frozenset[str]], None]) -> None:
        self._engine = engine
        self._apply = apply
        self._known: frozenset[str] = frozenset()
        self._silent = False

    def look(self) -> None:
        """Ask, and apply what has changed; never raises for storage."""
        try:
            found = lane_controls.paused(self._engine)
        except SQLAlchemyError as error:
            # A beat that told nothing would make the worker look dead, and that it is not.
            if not self._silent:
                log.warning("lane_controls_unread", error=type(error).__name__)
            self._silent = True
            return
        self._silent = False
        if found != self._known:
            log.info("lanes_paused_now", lanes=sorted(found))
            self._known = found
            self._apply(found)
