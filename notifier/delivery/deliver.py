"""One message, one attempt: claim, render, send, record, settle.

Runs in the worker thread that the scheduler chose. No database connection is held while the provider is
called, and nothing here raises: what goes wrong is an outcome, a put-back or a counted crash.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from notifier.delivery import endings, measuring
from notifier.delivery.calling import Calls
from notifier.delivery.choosing import account_for, destination_of, serving
from notifier.delivery.claims import ClaimDesk, new_claim_id
from notifier.delivery.destination_turns import DestinationTurns
from notifier.delivery.recorder import Owed, Recorder
from notifier.delivery.telling import tell_attempt
from notifier.delivery.tenant_turns import TenantTurns
from notifier.domain.errors import RenderError
from notifier.domain.ids import notification_id
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Mode, Reason
from notifier.domain.notification import Outgoing
from notifier.domain.outcomes import Answer, Outcome, Refused, Uncertain
from notifier.domain.retries import RetryPolicy
from notifier.domain.traces import trace_id
from notifier.domain.unsubscribe import UnsubscribeLinks
from notifier.providers.base import Account
from notifier.queueing.broker import NotBefore, Proxy
from notifier.rendering.content import platform_of, render_content, render_recipient
from notifier.routing import Router
from notifier.storage import faults
from notifier.storage.claiming import Claimed, Wanted
from notifier.storage.recording import Record
from notifier.telemetry.signals import Signals
from notifier.telemetry.tally import CLOSED, Tally

if TYPE_CHECKING:  # an extra
    from notifier.delivery.tracing import AttemptTrace

log = structlog.get_logger("notifier.delivery")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryConfig:
    """Times in seconds. A send starts only while its timeout and `send_margin` of the lease are left."""

    lease: float = 60.0
    send_margin: float = 10.0
    poison_claims: int = 3
    crash_wait: float = 10.0
    storage_wait: float = 0.5


class Deliverer:
    """The back half's executor. `put_back(proxy, seconds)` returns a message to this process's lane queue.

    `accounts` are real; what a test key sent goes to its channel's one of `simulators`.
    """

    def __init__(
        self,
        desk: ClaimDesk,
        recorder: Recorder,
        router: Router,
        accounts: Mapping[Channel, Mapping[str, Account]],
        policy: RetryPolicy,
        config: DeliveryConfig,
        *,
        put_back: Callable[[Proxy, float], None],
        simulators: Mapping[Channel, Account] | None = None,
        calls: Calls | None = None,
        turns: TenantTurns | None = None,
        destinations: DestinationTurns | None = None,
        links: UnsubscribeLinks | None = None,
        dice: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
        signals: Signals | None = None,
        tally: Tally = CLOSED,
        trace: "Callable[[Claimed, float], AttemptTrace | None] | None" = None,
    ) -> None:
        self._trace = trace
        self._desk = desk
        self._recorder = recorder
        self._accounts = accounts
        self._simulators = simulators or {}
        self._policy = policy
        self._config = config
        self._put_back = put_back
        self._calls = calls or Calls(router, clock=clock)
        self._links = links or UnsubscribeLinks()
        self._turns = turns
        self._destinations = destinations or DestinationTurns()
        self._dice = dice
        self._clock = clock
        self._signals = signals or Signals()
        self._tally = tally

    def deliver(self, proxy: Proxy) -> None:
        """Make one attempt for the notification this message rings for, if there is one to make."""
        asked_at = self._clock()
        try:
            claimed = self._desk.claim(self._wanted(proxy))
        except Exception as error:  # noqa: BLE001 - whatever it is, the message is kept
            self._calls.hand_back(proxy)
            self._unclaimed(proxy, error)
            return
        if claimed is None:
            self._calls.hand_back(proxy)
            proxy.settlement.ack()
            self._signals.emit("not_claimable", id=proxy.decoded.id)
            return
        measuring.began(self._tally, claimed)
        if self._trace is not None:
            proxy.trace = self._trace(claimed, self._clock() - asked_at)
        record = self._attempt(claimed, proxy, asked_at)
        measuring.buried(self._tally, claimed.lane, record.status, record.reason)
        # What was not used by now will not be.
        self._calls.hand_back(proxy)
        proxy.ok = _answered(record)
        if proxy.trace is not None:
            proxy.trace.attempted(record)
        self._recorder.submit(Owed(record, proxy.settlement, proxy.trace))

    def close_thread(self) -> None:
        """Let go of this thread's provider connections."""
        self._calls.close_thread()

    def _wanted(self, proxy: Proxy) -> Wanted:
        # A message that comes again here (storage was away) asks with the same claim id, so that a
        # claim whose answer got lost is found and not waited out.
        if proxy.claim_id is None:
            proxy.claim_id = new_claim_id()
        granted = proxy.grant.provider if proxy.grant else ""
        return Wanted(proxy.decoded.id, proxy.decoded.lane, proxy.claim_id, granted)

    def _unclaimed(self, proxy: Proxy, error: Exception) -> None:
        if not faults.is_away(error):
            log.error(
                "claim_failed",
                error=type(error).__name__,
                notification=notification_id(proxy.decoded.id),
                lane=proxy.decoded.lane.name,
            )
        wait = self._config.storage_wait * (1 + self._dice())
        self._put_back(proxy, wait)

    def _attempt(self, claimed: Claimed, proxy: Proxy, asked_at: float) -> Record:
        try:
            return self._send(claimed, proxy, asked_at)
        except Exception as error:  # noqa: BLE001 - counted, and poison in the end
            # Our own code failed before anything was sent; without its text, which may hold content.
            log.error(
                "attempt_crashed",
                notification=notification_id(claimed.id),
                lane=claimed.lane.name,
                attempt=claimed.attempt,
                request_id=claimed.request_id,
                trace_id=trace_id(claimed.traceparent),
                error=type(error).__name__,
                claims_unended=claimed.claims_unended,
            )
            now = claimed.claimed_at + timedelta(seconds=self._clock() - asked_at)
            config = self._config
            return endings.crashed(
                claimed, now, poison_claims=config.poison_claims, wait=config.crash_wait * self._dice()
            )

    def _send(self, claimed: Claimed, proxy: Proxy, asked_at: float) -> Record:
        if claimed.expired:
            return endings.expired(claimed)
        if claimed.suppressed is not None:
            return endings.suppressed(claimed)
        account = self._account(claimed, proxy)
        began = self._clock()
        if isinstance(account, NotBefore):
            return self._given_back(claimed, asked_at, account.seconds)
        if account is None:
            answer = Answer(text="no provider that is configured is as it was asked for")
            outcome: Outcome | NotBefore = Refused(Reason.PROVIDER_REJECTED, answer)
        elif self._config.lease - (began - asked_at) < account.timeout + self._config.send_margin:
            outcome = NotBefore(0.0)
        else:
            outcome = self._call(claimed, proxy, account, asked_at)
            if isinstance(outcome, NotBefore) and destination_of(claimed.recipient) is not None:
                outcome = NotBefore(self._destinations.put_off(claimed.lane, account.name, outcome.seconds))
        if isinstance(outcome, NotBefore):
            return self._given_back(claimed, asked_at, outcome.seconds)
        return self._ended(claimed, account, outcome, asked_at, began)

    def _account(self, claimed: Claimed, proxy: Proxy) -> Account | NotBefore | None:
        """Who is to send it; `NotBefore`: nobody can now, None: nobody ever."""
        channel, platform = claimed.lane.channel, platform_of(claimed.recipient)
        destination = destination_of(claimed.recipient)
        live = serving(self._accounts[channel], platform, destination)
        if claimed.mode is Mode.LIVE and destination is not None and live:
            turn = self._destinations.wait(claimed.lane, destination)
            if turn > 0:
                return NotBefore(turn)
        if claimed.mode is Mode.LIVE and claimed.provider is None and platform is not None and live:
            grant = self._calls.grant_for(proxy, platform)
            if isinstance(grant, NotBefore):
                return grant
        account = account_for(
            claimed.mode,
            live,
            self._simulators.get(channel),
            wanted=claimed.provider,
            granted=proxy.grant.provider if proxy.grant else None,
        )
        # Last: what nobody sends now must not use up the tenant's quota.
        turn = self._turns.wait(claimed.tenant) if account is not None and self._turns is not None else 0.0
        return NotBefore(turn) if turn > 0 else account

    def _call(self, claimed: Claimed, proxy: Proxy, account: Account, asked_at: float) -> Outcome | NotBefore:
        try:
            outgoing = self._outgoing(claimed, asked_at)
        except RenderError as error:
            return Refused(Reason.RENDER_ERROR, Answer(text=str(error)))
        return self._calls.call(proxy, account, outgoing, claimed.units)

    def _given_back(self, claimed: Claimed, asked_at: float, seconds: float) -> Record:
        """The claim returns, and its message with it: due again in so many seconds, no attempt spent."""
        log.info("claim_given_back", notification=notification_id(claimed.id), lane=claimed.lane.name)
        return endings.given_back(claimed, self._database_time(claimed, asked_at), wait=seconds)

    def _outgoing(self, claimed: Claimed, asked_at: float) -> Outgoing:
        left = (claimed.expires_at - self._database_time(claimed, asked_at)).total_seconds()
        return Outgoing(
            id=claimed.id,
            recipient=render_recipient(claimed.recipient),
            content=render_content(claimed.content),
            options=claimed.options or {},
            seconds_left=left,
            unsubscribe_url=self._unsubscribe_url(claimed),
            attempt=claimed.attempt,
            priority=claimed.lane.priority,
        )

    def _unsubscribe_url(self, claimed: Claimed) -> str | None:
        has_link = claimed.topic is not None and claimed.lane.channel is Channel.EMAIL
        return self._links.link(claimed.id) if has_link else None

    def _database_time(self, claimed: Claimed, asked_at: float) -> datetime:
        """The database's clock, carried on by our monotonic one since the claim."""
        return claimed.claimed_at + timedelta(seconds=self._clock() - asked_at)

    def _ended(
        self, claimed: Claimed, account: Account | None, outcome: Outcome, asked_at: float, began: float
    ) -> Record:
        provider = account.name if account is not None else claimed.provider or ""
        ended = endings.Ended(
            claimed=claimed,
            provider=provider,
            outcome=outcome,
            started_at=claimed.claimed_at + timedelta(seconds=began - asked_at),
            now=self._database_time(claimed, asked_at),
            duration_ms=int((self._clock() - began) * 1000),
            reports=account is not None and account.receipts is not None,
        )
        try:
            record = endings.record_of(ended, self._policy, jitter=self._dice())
        except Exception as error:  # noqa: BLE001 - an answer we can't read is no answer
            # Never a crash that counts as "nothing was sent": that would send again, unmarked.
            log.error(
                "outcome_unreadable",
                provider=provider,
                error=type(error).__name__,
                notification=notification_id(claimed.id),
            )
            ended = replace(ended, outcome=Uncertain())
            record = endings.record_of(ended, self._policy, jitter=self._dice())
        tell_attempt(ended, record)
        measuring.ended(self._tally, ended, record, account.name if account is not None else None)
        self._signals.emit("attempted", id=claimed.id, status=record.status)
        return record


def _answered(record: Record) -> bool | None:
    """Whether the provider gave its final word on the message; None when it was not asked."""
    return None if record.shown is None else record.shown["outcome"] in {"accepted", "refused"}
