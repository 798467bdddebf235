"""A worker's breakers: it judges its own calls at once, and shares what it found with the fleet at each beat.

Whoever sees a provider fail takes it out for all. When its time is over and a message would go to it, one process
of the fleet gets the right to one call, its probe; that call's ending closes the breaker or opens it for longer. An
operator's `disable` is read with the same look. Without storage nothing is claimed, so nothing is to be probed.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from notifier.delivery.breaker import BreakerPolicy, Health, Window, health_of
from notifier.domain.lanes import Channel
from notifier.domain.outcomes import Outcome
from notifier.routing import Leave
from notifier.storage import provider_states
from notifier.storage.provider_states import ProviderKey, ProviderState
from notifier.telemetry.metrics import BREAKER_MOVES
from notifier.telemetry.tally import CLOSED, Tally

log = structlog.get_logger("notifier.providers")

#: Seconds for which a wish to send through a provider that is out counts as one for a probe: longer than a gate waits
#: until it asks again.
_WISHED = 6.0


@dataclass(slots=True)
class _Breaker:
    """One account as this process sees it."""

    window: Window
    out: bool = False
    disabled: bool = False
    #: A probe's right stands here until it is used (`probing`) or its time is over, by the local clock.
    right_until: float = float("-inf")
    probing: bool = False
    wished_at: float = float("-inf")
    due_at: float = float("-inf")
    #: What storage has not been told yet: why it was taken out, or that its probe went well.
    to_open: str | None = None
    to_close: bool = False
    why: str | None = None
    #: Whether some process makes the probe.
    taken: bool = False


class Breakers:
    """Thread-safe. `timeouts` has every account with the seconds of its longest call."""

    def __init__(
        self,
        engine: Engine,
        owner: UUID,
        timeouts: Mapping[ProviderKey, float],
        policy: BreakerPolicy | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        tally: Tally = CLOSED,
    ) -> None:
        self._tally = tally
        self._engine = engine
        self._owner = owner
        self._timeouts = dict(timeouts)
        self._policy = policy or BreakerPolicy()
        #: Called when an account is out, back, disabled, enabled or to be probed; from any thread.
        self.changed: Callable[[ProviderKey], None] = lambda _: None
        self._clock = clock
        self._lock = threading.Lock()
        self._known = {key: _Breaker(Window(self._policy)) for key in timeouts}
        self._silent = False

    # Asked for each message.

    def leave(self, channel: Channel, name: str) -> Leave:
        """Whether a message may start through this account now; a `PROBE` uses the right to one up."""
        with self._lock:
            one = self._known[ProviderKey(channel, name)]
            if one.disabled:
                return Leave.NO
            if not one.out:
                return Leave.USUAL
            now = self._clock()
            one.wished_at = now
            if one.probing or now >= one.right_until:
                return Leave.NO
            one.probing = True
            return Leave.PROBE

    def unused(self, channel: Channel, name: str) -> None:
        """A probe did not come to a call: another message may use the right."""
        with self._lock:
            self._known[ProviderKey(channel, name)].probing = False

    def ended(
        self, channel: Channel, name: str, outcome: Outcome, seconds: float, *, probe: bool = False
    ) -> None:
        """A call has ended, which took so long."""
        key = ProviderKey(channel, name)
        health = health_of(outcome)
        with self._lock:
            one, now = self._known[key], self._clock()
            why = one.window.add(health, seconds, now)
            if one.out:
                if probe:
                    self._probed(one, health, why, now)
                # Any other call began before the breaker opened: it says nothing new.
                return
            if why is None:
                return
            one.out, one.to_open, one.why = True, why, why
            one.due_at = now + self._policy.first_wait
        log.error("breaker_opened", provider=str(key), why=why)
        self.changed(key)

    def _probed(self, one: _Breaker, health: Health, why: str | None, now: float) -> None:
        one.probing, one.right_until = False, float("-inf")
        if health is Health.WELL:
            one.to_close = True
        else:
            one.to_open = why or one.why or "errors"
            one.due_at = now + self._policy.first_wait

    # With each beat.

    def look(self) -> None:
        """Tell storage what was found, learn what others found, ask for a probe; never raises for storage."""
        try:
            self._tell()
            self._learn(provider_states.read(self._engine))
            self._ask_for_probes()
        except SQLAlchemyError as error:
            if not self._silent:
                log.warning("provider_states_unread", error=type(error).__name__)
            self._silent = True
        else:
            self._silent = False

    def _tell(self) -> None:
        for key, one in self._known.items():
            with self._lock:
                why, closes = one.to_open, one.to_close
                one.to_open, one.to_close = None, False
            try:
                if why is not None:
                    if provider_states.open_breaker(self._engine, key, why, self._owner, self._policy.wait):
                        self._moved(key, "open")
                elif closes:
                    self._say_closed(key, provider_states.close_breaker(self._engine, key, self._owner))
            except SQLAlchemyError:
                self._tell_later(one, why, closes=closes)
                raise

    def _tell_later(self, one: _Breaker, why: str | None, *, closes: bool) -> None:
        with self._lock:
            if one.to_open is None:  # nothing newer was found meanwhile
                one.to_open, one.to_close = why, closes

    def _say_closed(self, key: ProviderKey, out_for: timedelta | None) -> None:
        if out_for is not None:
            self._moved(key, "closed")
            log.warning("breaker_closed", provider=str(key), seconds=round(out_for.total_seconds(), 1))

    def _moved(self, key: ProviderKey, to: str) -> None:
        """Counted by whose word storage took: once in the fleet."""
        self._tally.add(BREAKER_MOVES, (str(key.channel), key.name, to))

    def _learn(self, states: Mapping[ProviderKey, ProviderState]) -> None:
        changed = []
        with self._lock:
            for key, one in self._known.items():
                state = states.get(key)
                before = (one.out, one.disabled)
                self._apply(one, state)
                if (one.out, one.disabled) != before:
                    changed.append((key, one.out, one.disabled))
        for key, out, disabled in changed:
            log.info(
                "provider_changed", provider=str(key), breaker="open" if out else "closed", disabled=disabled
            )
            self.changed(key)

    def _apply(self, one: _Breaker, state: ProviderState | None) -> None:
        one.disabled = state is not None and state.disabled
        if one.to_open is not None or one.to_close:
            return  # found since: told with the next look
        out = state is not None and state.opened_at is not None
        if one.out and not out:
            one.window.clear()
            one.probing, one.right_until = False, float("-inf")
        one.out = out
        if state is not None and out:
            one.why = state.why
            one.due_at = self._clock() + state.probe_in
            one.taken = state.probed

    def _ask_for_probes(self) -> None:
        now = self._clock()
        for key, one in self._known.items():
            wanted = one.out and not one.disabled and now - one.wished_at <= _WISHED
            if not wanted or one.taken or now < one.due_at or one.probing or now < one.right_until:
                continue
            # As long as the call may take, and a beat to tell of it: then another may try.
            seconds = self._timeouts[key] + 2 * _WISHED
            if provider_states.take_probe(self._engine, key, self._owner, seconds):
                log.info("breaker_probe", provider=str(key))
                self._moved(key, "half_open")
                with self._lock:
                    one.right_until = self._clock() + _WISHED
                self.changed(key)

    def states(self) -> dict[ProviderKey, int]:
        """0: used, 1: open, 2: disabled."""
        with self._lock:
            return {key: 2 if one.disabled else int(one.out) for key, one in self._known.items()}

    def report(self) -> dict[str, dict[str, Any]]:
        """``{"email/ses": {"breaker": "closed", "calls": 40, "errors": 0.0, "slow": 0.0, "p95": 0.2}}``."""
        with self._lock:
            now = self._clock()
            return {
                str(key): {"breaker": "open" if one.out else "closed", **_rounded(one.window.told(now))}
                for key, one in self._known.items()
            }


def _rounded(told: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in told.items()}
