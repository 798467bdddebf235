"""One call to a provider, within what limits, breakers and the operator's rules say.

A worker thread has its own connection to each account. A grant is used up by the call it was given for; whoever does
not come to a call hands it back, so that another message may have it.
"""

import threading
import time
from collections.abc import Callable

import structlog

from notifier.delivery.breakers import Breakers
from notifier.delivery.permits import Permits
from notifier.domain.answer_rules import AnswerRules
from notifier.domain.ids import notification_id
from notifier.domain.lanes import Channel, Lane
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Outgoing
from notifier.domain.outcomes import Answer, Deferred, Outcome, Uncertain
from notifier.domain.push_tokens import Platform
from notifier.providers.base import Account, Deadline, Provider, SetupError
from notifier.queueing.broker import Grant, NotBefore, Proxy
from notifier.routing import Router

log = structlog.get_logger("notifier.delivery")


class Calls:
    """What all worker threads share for their calls; `breakers` None: every account counts as well."""

    def __init__(
        self,
        router: Router,
        *,
        permits: Permits | None = None,
        breakers: Breakers | None = None,
        answers: AnswerRules | None = None,
        clock: Callable[[], float] = time.monotonic,
        reach: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._router = router
        self._permits = permits or Permits()
        self._breakers = breakers
        self._answers = answers or AnswerRules()
        self._clock = clock
        self._reach = reach
        self._of_thread = threading.local()

    def call(self, proxy: Proxy, account: Account, outgoing: Outgoing, units: int) -> Outcome | NotBefore:
        """How the call ended, as the operator sees it; `NotBefore`: it may not be made now."""
        try:
            provider = self._provider(account)
        except Exception as error:  # noqa: BLE001 - nothing was sent: no fault of the notification's
            log.error("provider_not_built", **_facts(proxy, account, error))
            why = str(error) if isinstance(error, SetupError) else "the provider can't be set up"
            outcome: Outcome = Deferred(Reason.PROVIDER_UNAVAILABLE, answer=Answer(text=why))
            # The grant goes back unused, but the next message would fare the same: another account is to send.
            self._tell(account, outcome, 0.0, proxy.grant)
            return outcome
        grant = self._leave(proxy, account)
        if proxy.trace is not None:
            waited = self._permits.waited.pop((proxy.decoded.lane, account.name), 0.0)
            proxy.trace.permit(account.name, waited, grant)
        if isinstance(grant, NotBefore):
            return grant
        self._permits.charge(grant, units)
        began = self._clock()
        outcome = self._judged(proxy, account, self._sent(proxy, provider, account, outgoing))
        self._permits.heard(account.channel, account.name, outcome)
        seconds = self._clock() - began
        if proxy.trace is not None:
            proxy.trace.called(account, outcome, seconds)
        self._tell(account, outcome, seconds, grant)
        return outcome

    def grant_for(self, proxy: Proxy, platform: Platform) -> Grant | NotBefore:
        """The message's grant, exchanged for one that `platform` is served with if it is another's.

        The gate knows the lane only. `NotBefore`: no account that serves the platform may send now.
        """
        lane, grant = proxy.decoded.lane, proxy.grant
        if grant is not None and grant.provider in self._router.names(lane.channel, platform):
            return grant
        self.hand_back(proxy)
        found = self._router.grant_for(lane, platform)
        if isinstance(found, Grant):
            proxy.grant = found
        return found

    def hand_back(self, proxy: Proxy) -> None:
        """The message's grant was not used, and will not be; without one nothing happens."""
        grant, proxy.grant = proxy.grant, None
        self._let_go(proxy.decoded.lane, grant)

    def close_thread(self) -> None:
        """Let go of this thread's connections."""
        for provider in self._providers().values():
            try:
                provider.close()
            except Exception as error:  # noqa: BLE001 - a socket that won't close is let go
                log.warning("provider_close_failed", error=type(error).__name__)
        self._providers().clear()

    def _leave(self, proxy: Proxy, account: Account) -> Grant | NotBefore:
        """The grant that the call uses: the one that came, while its time lasts and it is for this account."""
        lane = proxy.decoded.lane
        grant, proxy.grant = proxy.grant, None
        if grant is None or grant.provider != account.name:
            # The request names its provider, or it is a test key's: the gate could not know.
            self._let_go(lane, grant)
            return self._router.grant_of(lane, account.name)
        found = self._permits.renewed(lane, grant)
        if isinstance(found, NotBefore) and grant.probe:
            self._unused(lane, grant)
        return found

    def _tell(self, account: Account, outcome: Outcome, seconds: float, grant: Grant | None) -> None:
        if self._breakers is not None:
            probe = grant is not None and grant.probe and grant.provider == account.name
            self._breakers.ended(account.channel, account.name, outcome, seconds, probe=probe)

    def _let_go(self, lane: Lane, grant: Grant | None) -> None:
        if grant is not None:
            self._permits.give_back(grant)
            if grant.probe:
                self._unused(lane, grant)

    def _unused(self, lane: Lane, grant: Grant) -> None:
        if self._breakers is not None:
            self._breakers.unused(lane.channel, grant.provider)

    def _sent(self, proxy: Proxy, provider: Provider, account: Account, outgoing: Outgoing) -> Outcome:
        try:
            outcome = provider.send(outgoing, Deadline(account.timeout))
        except Exception as error:  # noqa: BLE001 - nobody knows what it did
            # A provider's bug: it may have written the request before it failed.
            log.error("provider_crashed", **_facts(proxy, account, error))
            self._providers().pop((account.channel, account.name), None)
            return Uncertain(answer=Answer(text=f"the provider's code failed: {type(error).__name__}"))
        self._reach("after_send")
        return outcome

    def _judged(self, proxy: Proxy, account: Account, outcome: Outcome) -> Outcome:
        try:
            return self._answers.judge(account.channel, outcome)
        except Exception as error:  # noqa: BLE001 - an answer we can't read is no answer
            log.error("outcome_unreadable", **_facts(proxy, account, error))
            return Uncertain()

    def _provider(self, account: Account) -> Provider:
        providers = self._providers()
        # Two channels may each have an account of the same name.
        key = (account.channel, account.name)
        if key not in providers:
            providers[key] = account.build()
        return providers[key]

    def _providers(self) -> dict[tuple[Channel, str], Provider]:
        found: dict[tuple[Channel, str], Provider] | None = getattr(self._of_thread, "providers", None)
        if found is None:
            found = self._of_thread.providers = {}
        return found


def _facts(proxy: Proxy, account: Account, error: Exception) -> dict[str, str]:
    """What a line about a failed call says: never the error's text, which may hold content."""
    asked = proxy.decoded
    return {
        "provider": account.name,
        "error": type(error).__name__,
        "notification": notification_id(asked.id),
        "lane": asked.lane.name,
    }
