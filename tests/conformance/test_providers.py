"""What every provider promises, whatever the network does (see `notifier.providers.base`).

A provider joins by one entry in `CANDIDATES`; one with a network says how its URL is made for a port, how a good
peer behaves, how one that takes the whole request and goes, and how one that refuses and repeats everything.
"""

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

import pytest

from notifier.domain.lanes import Channel
from notifier.domain.notification import Content, Outgoing
from notifier.domain.outcomes import Accepted, Deferred, Outcome, Refused, Uncertain
from notifier.domain.recipients import EmailAddress, PhoneNumber, Platform, PushToken, Recipient
from notifier.providers.base import Account, Deadline, Provider, ProviderDefaults
from notifier.providers.registry import parse_provider_url
from tests.nodes.peers import Behaviour, closes, hangs, peer, speaks_smtp, trickles

ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
USER, PASSWORD = "mailer-account", "s3cret-passw0rd"
BODY = "the-body-of-the-message"
#: The whole call's bound in these tests, and what a busy machine may add to it, in seconds.
BOUND, GRACE = 0.6, 1.5


@dataclass(frozen=True, kw_only=True)
class Network:
    """How to reach a provider's stand-in, and how that stand-in behaves."""

    url: Callable[[int], str]
    good: Behaviour
    goes_after_the_request: Behaviour
    hangs_after_the_request: Behaviour
    repeats_everything: Behaviour


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A provider to be held to its promises."""

    name: str
    channel: Channel
    recipient: Recipient
    content: Content
    url: str | None = None
    network: Network | None = None

    def outgoing(self, attempt: int = 1) -> Outgoing:
        return Outgoing(id=ID, recipient=self.recipient, content=self.content, attempt=attempt)


MAIL = EmailAddress("ada.lovelace@example.com", "Ada")
SMTP = Network(
    url=lambda port: f"smtp://{USER}:{PASSWORD}@127.0.0.1:{port}",
    good=speaks_smtp(),
    goes_after_the_request=speaks_smtp({"DOT": None}),
    hangs_after_the_request=speaks_smtp({"DOT": "HANG"}),
    repeats_everything=speaks_smtp({"RCPT": "550 5.1.1 {line} unknown, ada.lovelace too " + "x" * 600}),
)
TEXT = Content(text=BODY)
CANDIDATES = [
    Candidate(
        name="console-email",
        channel=Channel.EMAIL,
        recipient=MAIL,
        content=Content(subject="Hi", text=BODY),
        url="console://",
    ),
    Candidate(
        name="console-sms",
        channel=Channel.SMS,
        recipient=PhoneNumber("+447700900000"),
        content=TEXT,
        url="console://",
    ),
    Candidate(
        name="console-push",
        channel=Channel.PUSH,
        recipient=PushToken("a" * 64, Platform.APNS),
        content=Content(title="Hi", text=BODY),
        url="console://",
    ),
    Candidate(
        name="smtp",
        channel=Channel.EMAIL,
        recipient=MAIL,
        content=Content(subject="Hi", text=BODY, html=f"<p>{BODY}</p>"),
        network=SMTP,
    ),
]
NETWORKED = [candidate for candidate in CANDIDATES if candidate.network is not None]
every = pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda candidate: candidate.name)
networked = pytest.mark.parametrize("candidate", NETWORKED, ids=lambda candidate: candidate.name)


def account_of(candidate: Candidate, port: int = 0) -> Account:
    url = candidate.url if candidate.network is None else candidate.network.url(port)
    assert url is not None
    return parse_provider_url(candidate.channel, url, ProviderDefaults(console_stream=io.StringIO()))


def network_of(candidate: Candidate) -> Network:
    assert candidate.network is not None
    return candidate.network


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
    """The whole call ends by its deadline, and nothing was sent yet: Deferred."""
    outcome, took = against(candidate, behaviour)
    assert isinstance(outcome, Deferred)
    assert outcome.reason == "provider_timeout"
    assert took < BOUND + GRACE


@networked
def test_a_peer_that_closes_after_accept_defers(candidate: Candidate) -> None:
    """A connection lost before the request was written is worth another try."""
    outcome, _ = against(candidate, closes)
    assert isinstance(outcome, Deferred)
    assert outcome.reason == "provider_unavailable"


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
