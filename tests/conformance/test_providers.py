"""What every provider promises, whatever the network does (see `notifier.providers.base`).

A provider joins by one module in `tests/conformance/candidates`; what only HTTP providers can show is in
`test_http_providers`.
"""

import time
from collections.abc import Iterator

import pytest

from notifier.domain.outcomes import Accepted, Deferred, Outcome, Refused, Uncertain
from notifier.providers.base import Account, Deadline, Provider
from tests.conformance.candidates import CANDIDATES
from tests.conformance.provider_kit import (
    BODY,
    BOUND,
    GRACE,
    PASSWORD,
    USER,
    Candidate,
    account_of,
    network_of,
)
from tests.nodes.peers import Behaviour, closes, hangs, peer, trickles

NETWORKED = [candidate for candidate in CANDIDATES if candidate.network is not None]
every = pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda candidate: candidate.name)
networked = pytest.mark.parametrize("candidate", NETWORKED, ids=lambda candidate: candidate.name)


@pytest.fixture
def ready(candidate: Candidate) -> Iterator[Account]:
    """An account whose provider, if it has a network, finds a good peer."""
    if candidate.network is None:
        yield account_of(candidate)
        return
    with peer(candidate.network.good) as good:
        yield account_of(candidate, good.port)


def attempt(provider: Provider, candidate: Candidate, seconds: float = 5.0) -> Outcome:
    try:
        return provider.send(candidate.outgoing(), Deadline(seconds))
    finally:
        provider.close()


def against(candidate: Candidate, behaviour: Behaviour) -> tuple[Outcome, float]:
    """The outcome against a peer that behaves so, and how many seconds it took."""
    with peer(behaviour) as bad:
        provider = account_of(candidate, bad.port).build()
        started = time.monotonic()
        outcome = attempt(provider, candidate, BOUND)
        return outcome, time.monotonic() - started


@every
def test_a_good_message_is_accepted(candidate: Candidate, ready: Account) -> None:
    """With nothing in the way the outcome is Accepted, with the provider's reference."""
    outcome = attempt(ready.build(), candidate)
    assert isinstance(outcome, Accepted), outcome
    assert outcome.reference


@every
def test_closing_twice_does_no_harm(candidate: Candidate, ready: Account) -> None:
    """`close` may come twice, before any message and after one; a closed provider may send again."""
    provider = ready.build()
    provider.close()
    provider.close()
    assert isinstance(attempt(provider, candidate), Accepted)
    assert isinstance(attempt(provider, candidate), Accepted)
    provider.close()


@every
def test_each_build_is_another_instance(candidate: Candidate, ready: Account) -> None:
    """Each worker thread gets its own."""
    first, second = ready.build(), ready.build()
    assert first is not second


@every
def test_a_passed_deadline_defers(candidate: Candidate, ready: Account) -> None:
    """With no time left nothing is sent."""
    outcome = attempt(ready.build(), candidate, 0.0)
    assert isinstance(outcome, Deferred)
    assert outcome.reason == "provider_timeout"


@every
def test_what_it_keeps_shows_no_secret(candidate: Candidate, ready: Account) -> None:
    """Neither the account's name nor any repr holds the password."""
    assert PASSWORD not in f"{ready.name} {ready!r} {ready.build()!r}"


@networked
@pytest.mark.parametrize("behaviour", [hangs, trickles], ids=["hangs", "trickles"])
def test_a_silent_or_slow_peer_never_breaks_the_deadline(candidate: Candidate, behaviour: Behaviour) -> None:
    """The whole call ends by its deadline: Deferred if nothing was sent yet, else Uncertain."""
    outcome, took = against(candidate, behaviour)
    assert took < BOUND + GRACE
    if network_of(candidate).peer_speaks_first:
        assert isinstance(outcome, Deferred)
        assert outcome.reason == "provider_timeout"
    else:
        assert isinstance(outcome, Uncertain)


@networked
def test_a_peer_that_closes_after_accept_is_no_answer(candidate: Candidate) -> None:
    """A connection lost before the request was written is worth another try; after it, nobody knows."""
    outcome, _ = against(candidate, closes)
    if network_of(candidate).peer_speaks_first or isinstance(outcome, Deferred):
        assert isinstance(outcome, Deferred)
        assert outcome.reason == "provider_unavailable"
    else:
        assert isinstance(outcome, Uncertain)


@networked
def test_nobody_listening_defers(candidate: Candidate) -> None:
    """A refused connection is worth another try."""
    with peer(closes) as gone:
        account = account_of(candidate, gone.port)
    outcome = attempt(account.build(), candidate)
    assert isinstance(outcome, Deferred)
    assert outcome.reason == "provider_unavailable"


@networked
def test_no_answer_to_the_whole_request_is_uncertain(candidate: Candidate) -> None:
    """Once the request was written, silence and a lost connection mean that nobody knows."""
    for behaviour in (
        network_of(candidate).goes_after_the_request,
        network_of(candidate).hangs_after_the_request,
    ):
        outcome, took = against(candidate, behaviour)
        assert isinstance(outcome, Uncertain), outcome
        assert took < BOUND + GRACE


@networked
def test_the_kept_answer_is_cut_and_masked(candidate: Candidate) -> None:
    """Whatever a provider repeats, the answer holds no address, secret or body, and 500 characters at most."""
    outcome, _ = against(candidate, network_of(candidate).repeats_everything)
    assert isinstance(outcome, Refused), outcome
    assert outcome.answer.code
    assert 0 < len(outcome.answer.text) <= 500
    for private in ("ada.lovelace", USER, PASSWORD, BODY):
        assert private not in outcome.answer.text
