"""What every provider that is spoken to over HTTP promises beyond `test_providers`.

A provider joins by the `http` of its module in `tests/conformance/candidates`.
"""

import logging
import socket
import threading
import time
from dataclasses import replace
from uuid import UUID

import pytest

from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Accepted, Deferred, Outcome, Refused, Uncertain
from notifier.providers.base import Deadline, Provider
from tests.conformance.candidates import CANDIDATES
from tests.conformance.provider_kit import BODY, BOUND, GRACE, PASSWORD, Candidate, Http, account_at
from tests.nodes.peers import hangs, peer
from tests.nodes.web import Answer, Fault, Said, WebServer, authority, web_server

OVER_HTTP = [candidate for candidate in CANDIDATES if candidate.http is not None]
pytestmark = pytest.mark.parametrize("candidate", OVER_HTTP, ids=lambda candidate: candidate.name)
PLAIN, TLS = "dangerous_plain=true", "timeout=20"


def http_of(candidate: Candidate) -> Http:
    assert candidate.http is not None
    return candidate.http


def provider_at(candidate: Candidate, server: WebServer, options: str = PLAIN) -> Provider:
    return account_at(candidate, http_of(candidate).url(f"127.0.0.1:{server.port}", options)).build()


def sent(provider: Provider, candidate: Candidate, seconds: float = 5.0, attempt: int = 1) -> Outcome:
    return provider.send(candidate.outgoing(attempt), Deadline(seconds))


def answered(candidate: Candidate, answer: Answer, seconds: float = 5.0) -> tuple[Outcome, float]:
    """The outcome of one attempt that is answered so, and how many seconds it took."""
    with web_server(answer) as server:
        provider = provider_at(candidate, server)
        started = time.monotonic()
        outcome = sent(provider, candidate, seconds)
        took = time.monotonic() - started
        provider.close()
        return outcome, took


def test_answers_in_its_own_form_are_understood(candidate):
    """A temporary error is Deferred, a refused recipient (or request) Refused; both keep the provider's code."""
    deferred, _ = answered(candidate, http_of(candidate).defers)
    assert isinstance(deferred, Deferred)
    assert deferred.answer.code
    refused, _ = answered(candidate, http_of(candidate).refuses)
    assert isinstance(refused, Refused)
    assert refused.reason == http_of(candidate).refused
    assert refused.answer.code


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (301, Refused(Reason.PROVIDER_REJECTED)),
        (401, Deferred(Reason.AUTH_FAILED)),
        (404, Refused(Reason.PROVIDER_REJECTED)),
        (429, Deferred(Reason.THROTTLED, 7.0)),
        (500, Deferred(Reason.PROVIDER_UNAVAILABLE)),
        (503, Deferred(Reason.PROVIDER_UNAVAILABLE, 7.0)),
    ],
)
def test_answers_in_no_form_mean_what_their_status_says(candidate, status, expected):
    """A proxy or load balancer in between speaks HTTP, not the provider's protocol; Retry-After is heard."""
    if status == 404:
        expected = http_of(candidate).not_found
    asked = {"Retry-After": "7"} if getattr(expected, "not_before", None) else {}
    outcome, _ = answered(candidate, Said(status, b"<html>no</html>", {"Content-Type": "text/html", **asked}))
    assert replace(outcome, answer=expected.answer) == expected
    assert "html" not in outcome.answer.text.replace("text/html", "")


@pytest.mark.parametrize("fault", Fault)
def test_a_peer_that_misbehaves_never_breaks_the_deadline(candidate, fault):
    """Whatever comes in place of an answer, the call ends in time, and what may have been taken is Uncertain."""
    outcome, took = answered(candidate, fault, BOUND)
    assert took < BOUND + GRACE
    has_status = fault in {Fault.TRICKLE_BODY, Fault.HUGE, Fault.CUT_BODY}
    expected = Accepted if has_status and http_of(candidate).answers_by_status else Uncertain
    assert isinstance(outcome, expected), outcome


def test_a_huge_answer_is_cut_and_its_connection_left(candidate):
    """A few hundred kilobytes of 100 MB are taken (sockets have buffers), and the next request goes elsewhere."""
    with web_server(Fault.HUGE) as server:
        provider = provider_at(candidate, server)
        sent(provider, candidate)
        server.answer = http_of(candidate).accepts
        assert isinstance(sent(provider, candidate), Accepted)
        provider.close()
        assert server.huge_sent < 20_000_000
        assert server.connections == 2


def test_a_redirect_is_never_followed(candidate):
    """It would take the credentials, the number and the text to where nobody chose to send them."""
    with web_server(http_of(candidate).accepts) as elsewhere:
        for status in (301, 302, 303, 307, 308):
            outcome, _ = answered(candidate, Said(status, headers={"Location": elsewhere.url + "/"}))
            assert isinstance(outcome, Refused)
        assert elsewhere.connections == 0


def test_connections_are_kept(candidate):
    """A thread's messages go over one connection, those that were refused too."""
    with web_server(http_of(candidate).accepts) as server:
        provider = provider_at(candidate, server)
        for answer in (http_of(candidate).accepts, http_of(candidate).refuses, http_of(candidate).accepts):
            server.answer = answer
            sent(provider, candidate)
        provider.close()
        assert (len(server.heard), server.connections) == (3, 1)


def test_a_kept_connection_that_was_closed_is_replaced(candidate):
    """It is noticed before the request is written, so the message is sent once and is not Uncertain."""
    with web_server(replace(http_of(candidate).accepts, closes=True)) as server:
        provider = provider_at(candidate, server)
        assert isinstance(sent(provider, candidate), Accepted)
        assert server.ended.wait(60)
        assert isinstance(sent(provider, candidate), Accepted)
        provider.close()
        assert (len(server.heard), server.connections) == (2, 2)


def test_each_thread_has_its_own(candidate):
    """32 threads with an instance each: every message arrives once, none over another's connection."""
    with web_server(http_of(candidate).accepts) as server:
        begin = threading.Barrier(32)
        outcomes: list[Outcome] = []

        def work(number: int) -> None:
            provider = provider_at(candidate, server)
            begin.wait(60)
            for _ in range(3):
                message = candidate.outgoing(id=UUID(int=number))
                outcomes.append(provider.send(message, Deadline(20)))
            provider.close()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert [type(outcome) for outcome in outcomes] == [Accepted] * 96
        assert (len(server.heard), server.connections) == (96, 32)


def test_the_idempotency_token_is_the_same_in_every_attempt(candidate):
    """Where the provider has one; another notification has another."""
    token = http_of(candidate).token
    with web_server(http_of(candidate).accepts) as server:
        provider = provider_at(candidate, server)
        sent(provider, candidate, attempt=1)
        sent(provider, candidate, attempt=2)
        provider.send(candidate.outgoing(id=UUID(int=7)), Deadline(5))
        provider.close()
        first, second, other = server.heard
        if token is None:
            assert (first.path, first.body) == (second.path, second.body)
        else:
            assert token(first) == token(second) != token(other)
            assert token(first)


def test_nothing_private_is_logged(candidate, caplog):
    """Neither the secret, the recipient nor the text is in any log line, however low its level."""
    caplog.set_level(logging.DEBUG)
    for answer in (
        http_of(candidate).accepts,
        http_of(candidate).repeats(BODY),
        Said(201, b"{}", {f"{BODY} x": PASSWORD}),
        Fault.CLOSE,
        Fault.GARBAGE,
    ):
        answered(candidate, answer)
    # Its own server's threads log nothing: what is here, the provider's libraries have said.
    assert not [line for line in caplog.messages if PASSWORD in line or BODY in line or "4477009" in line]


def test_no_proxy_of_the_environment_is_used(candidate, monkeypatch):
    """Where messages go is said by the URL alone."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    outcome, _ = answered(candidate, http_of(candidate).accepts)
    assert isinstance(outcome, Accepted)


def test_the_certificate_is_verified(candidate, tmp_path):
    """An authority that is not trusted is ours to mend, and it hears nothing; with `ca_file` it is trusted."""
    context, trusted = authority(tmp_path)
    with web_server(http_of(candidate).accepts, context) as server:
        stranger = provider_at(candidate, server, TLS)
        outcome = sent(stranger, candidate)
        assert isinstance(outcome, Deferred)
        assert outcome.reason == Reason.AUTH_FAILED
        assert "certificate" in outcome.answer.text
        assert server.heard == []
        provider = provider_at(candidate, server, f"ca_file={trusted}")
        assert isinstance(sent(provider, candidate), Accepted)
        assert isinstance(sent(provider, candidate), Accepted)
        provider.close()
        assert (len(server.heard), server.connections) == (2, 2)


def test_a_handshake_that_never_ends_defers(candidate):
    """Nothing was sent yet."""
    with peer(hangs) as silent:
        account = account_at(candidate, http_of(candidate).url(f"127.0.0.1:{silent.port}", TLS))
        started = time.monotonic()
        outcome = sent(account.build(), candidate, BOUND)
        assert isinstance(outcome, Deferred)
        assert outcome.reason == Reason.PROVIDER_TIMEOUT
        assert time.monotonic() - started < BOUND + GRACE


def test_a_peer_that_takes_no_connection_defers(candidate):
    """A connection that is never made ends by the deadline, and nothing was sent."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        # The backlog of 0 holds one; the next SYN is not answered.
        with socket.create_connection(("127.0.0.1", port)):
            account = account_at(candidate, http_of(candidate).url(f"127.0.0.1:{port}", PLAIN))
            outcome = sent(account.build(), candidate, BOUND)
        assert isinstance(outcome, Deferred)
        assert outcome.reason == Reason.PROVIDER_TIMEOUT
