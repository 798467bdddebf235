"""What a provider brings to the conformance suites: how to reach its stand-in, and how that stand-in behaves."""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Content, Outgoing
from notifier.domain.outcomes import Outcome, Refused
from notifier.domain.recipients import Recipient
from notifier.providers.base import Account, ProviderDefaults
from notifier.providers.registry import parse_provider_url
from tests.nodes.peers import Behaviour
from tests.nodes.web import Answer, Fault, Heard, Said, WebServer, serve

ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
USER, PASSWORD = "mailer-account", "s3cret-passw0rd"
BODY = "the-body-of-the-message"
#: The whole call's bound in these tests, and what a busy machine may add to it, in seconds.
BOUND, GRACE = 0.6, 1.5


_REFUSED = Refused(Reason.PROVIDER_REJECTED)


@dataclass(frozen=True, kw_only=True)
class Http:
    """An HTTP provider's own protocol.

    `url` takes ``HOST:PORT`` and further options. `accepts`, `defers` and `refuses` are answers in the provider's
    form; `repeats` puts a text where a refusal has words for people. `token` finds in a request what must be the
    same in every attempt, for a provider that has an idempotency token; `answers_by_status`: a status without a
    readable body is an answer.
    """

    url: Callable[[str, str], str]
    accepts: Said
    defers: Said
    refuses: Said
    repeats: Callable[[str], Said]
    token: Callable[[Heard], str | None] | None = None
    answers_by_status: bool = True
    #: What a 404 means; where the URL is the recipient's own, something of the recipient.
    not_found: Outcome = _REFUSED
    #: What `refuses` is about; without a recipient of the provider's own it is the request.
    refused: Reason = Reason.INVALID_RECIPIENT


@dataclass(frozen=True, kw_only=True)
class Network:
    """A provider's stand-in as a peer on loopback. `peer_speaks_first`: nothing is sent before it has spoken."""

    url: Callable[[int], str]
    good: Behaviour
    goes_after_the_request: Behaviour
    hangs_after_the_request: Behaviour
    repeats_everything: Behaviour
    peer_speaks_first: bool = False


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A provider to be held to its promises."""

    name: str
    channel: Channel
    recipient: Recipient
    content: Content
    url: str | None = None
    network: Network | None = None
    http: Http | None = None
    #: For one that no URL names.
    account: Account | None = None

    def outgoing(self, attempt: int = 1, id: UUID = ID) -> Outgoing:  # noqa: A002 - the field's name
        """The message of one attempt."""
        return Outgoing(id=id, recipient=self.recipient, content=self.content, attempt=attempt)

    def over_http(self) -> "Candidate":
        """The same with its network made of its protocol."""
        assert self.http is not None
        return replace(self, network=network_over_http(self.http))


def answers(answer: Answer) -> Behaviour:
    """A peer that speaks HTTP."""
    return lambda this, connection: serve(WebServer(answer), this, connection)


def network_over_http(http: Http) -> Network:
    """What a protocol over HTTP does in each case."""

    def repeating(heard: Heard) -> Said:
        everything = f"{heard.path} {heard.headers} {heard.body.decode(errors='replace')} "
        return http.repeats(everything + "x" * 600)

    return Network(
        url=lambda port: http.url(f"127.0.0.1:{port}", "dangerous_plain=true"),
        good=answers(http.accepts),
        goes_after_the_request=answers(Fault.CLOSE),
        hangs_after_the_request=answers(Fault.HANG),
        repeats_everything=answers(repeating),
    )


def account_of(candidate: Candidate, port: int = 0) -> Account:
    """The account that leads to this port."""
    if candidate.account is not None:
        return candidate.account
    url = candidate.url if candidate.network is None else candidate.network.url(port)
    assert url is not None
    return account_at(candidate, url)


def account_at(candidate: Candidate, url: str) -> Account:
    """The account that `url` describes."""
    return parse_provider_url(candidate.channel, url, ProviderDefaults(console_stream=io.StringIO()))


def network_of(candidate: Candidate) -> Network:
    """Its network; only for those that have one."""
    assert candidate.network is not None
    return candidate.network
