"""`python -m benchmarks.providers`: what a send costs beside the least that can send the same, on loopback.

No broker and no database: a provider of one thread and a server in a process of its own. Ours and the peer take turns
in each round. All is counted in sends a second of this process's CPU, which the server's speed does not change: SMTP's
look-alike takes longer over a message than we do. "not reached" is a finding and ends with 0.
"""

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import UUID

import urllib3

from benchmarks import report
from benchmarks.figures import Finding, Pairs, Target
from notifier.domain.lanes import Channel
from notifier.domain.notification import Content, Outgoing
from notifier.domain.outcomes import Accepted
from notifier.domain.recipients import EmailAddress
from notifier.providers.base import Deadline, Provider, ProviderDefaults
from notifier.providers.registry import parse_provider_url
from tests.conformance.candidates import fcm, twilio
from tests.conformance.provider_kit import Candidate
from tests.nodes.smtp import smtp_server
from tests.nodes.web import Heard, Said, authority, web_server

ROUNDS = 7
_WARM, _HTTP_SENDS = 50, 1_500
_KEPT_MAILS, _NEW_MAILS = 400, 80
_ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
_MAIL = Outgoing(
    id=_ID,
    recipient=EmailAddress.parse("ada@example.com"),
    content=Content(subject="Your code", text="123456 " * 20, html="<b>123456</b> " * 20),
)
#: Whether the server offers PIPELINING (RFC 2920), as Postfix and Exim do.
_SMTP = (
    ("V1 smtp", "in a group", True),
    ("V1 one by one", "one by one", False),
)
_HTTP = (
    ("V2 twilio", twilio.CANDIDATES[0]),
    ("V2 fcm", fcm.CANDIDATES[0]),
)


def main() -> int:
    """The exit status."""
    findings = [*(_mail(*one) for one in _SMTP), *(_http(name, candidate) for name, candidate in _HTTP)]
    sys.stdout.write(report.table(findings) + "\n")
    return 0


def _mail(name: str, commands: str, pipelining: bool) -> Finding:
    with (
        tempfile.TemporaryDirectory() as folder,
        _serving(_mail_server, folder, pipelining) as (port, trusted),
    ):
        url = f"smtp+starttls://127.0.0.1:{port}?ca_file={trusted}"
        defaults = ProviderDefaults(email_from="notifier@example.com")
        provider = parse_provider_url(Channel.EMAIL, url, defaults).build()

        def anew() -> None:
            provider.close()
            _send(provider, _MAIL)

        _repeat(lambda: _send(provider, _MAIL), _WARM)
        target = Target(
            id=name,
            work=f"e-mails a second of CPU, one kept connection, STARTTLS, commands {commands}",
            against="the same with a new connection for each",
            unit="/s",
            ratio=5.0,
        )
        return _rounds(
            target,
            lambda: _KEPT_MAILS / _timed(lambda: _send(provider, _MAIL), _KEPT_MAILS, time.process_time),
            lambda: _NEW_MAILS / _timed(anew, _NEW_MAILS, time.process_time),
        )


def _http(name: str, candidate: Candidate) -> Finding:
    """The peer posts the very bytes that ours did, and looks at nothing but the status."""
    http = candidate.http
    assert http is not None  # noqa: S101 - both speak HTTP
    message = Outgoing(id=_ID, recipient=candidate.recipient, content=candidate.content)
    with _serving(_web_server, http.accepts) as (port, _):
        provider = _provider(candidate, port)
        said = _what_is_said(candidate, message)
        pool = urllib3.HTTPConnectionPool("127.0.0.1", port, maxsize=1, retries=False)
        headers = {name: text for name, text in said.headers.items() if name.lower() != "host"}

        def bare() -> None:
            answer = pool.urlopen("POST", said.path, body=said.body, headers=headers)
            if answer.status != http.accepts.status:
                raise RuntimeError(f"the answer was {answer.status}")

        for one in (lambda: _send(provider, message), bare):
            _repeat(one, _WARM)
        target = Target(
            id=name,
            work="sends a second of CPU, one kept connection",
            against="a bare urllib3 POST of the same bytes",
            unit="/s",
            ratio=0.7,
        )
        return _rounds(
            target,
            lambda: _HTTP_SENDS / _timed(lambda: _send(provider, message), _HTTP_SENDS, time.process_time),
            lambda: _HTTP_SENDS / _timed(bare, _HTTP_SENDS, time.process_time),
        )


def _provider(candidate: Candidate, port: int) -> Provider:
    assert candidate.http is not None  # noqa: S101 - see above
    url = candidate.http.url(f"127.0.0.1:{port}", "dangerous_plain=true")
    return parse_provider_url(candidate.channel, url, ProviderDefaults()).build()


def _what_is_said(candidate: Candidate, message: Outgoing) -> Heard:
    assert candidate.http is not None  # noqa: S101 - see above
    with web_server(candidate.http.accepts) as server:
        provider = _provider(candidate, server.port)
        _send(provider, message)
        provider.close()
        return server.heard[0]


def _send(provider: Provider, message: Outgoing) -> None:
    outcome = provider.send(message, Deadline(10.0))
    if not isinstance(outcome, Accepted):
        raise RuntimeError(f"the outcome was {type(outcome).__name__}")  # noqa: TRY004 - no mistake of a type


def _repeat(send: Callable[[], None], number: int) -> None:
    for _ in range(number):
        send()


def _timed(send: Callable[[], None], number: int, clock: Callable[[], float]) -> float:
    began = clock()
    _repeat(send, number)
    return clock() - began


def _rounds(target: Target, ours: Callable[[], float], peer: Callable[[], float]) -> Finding:
    """Who goes first changes with each round."""
    pairs = []
    for number in range(ROUNDS):
        if number % 2:
            theirs = peer()
            pairs.append((ours(), theirs))
        else:
            mine = ours()
            pairs.append((mine, peer()))
    mine_all, theirs_all = zip(*pairs, strict=True)
    return Finding(target=target, pairs=Pairs(mine_all, theirs_all))


@contextmanager
def _serving(serve: Callable[..., None], *given: object) -> Iterator[tuple[int, str]]:
    """A server in a process of its own: its port, and the authority it is to be trusted by."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=serve, args=(theirs, *given), daemon=True)
    process.start()
    try:
        if not ours.poll(30):
            raise RuntimeError("the server did not start")
        yield ours.recv()
    finally:
        ours.send(None)
        process.join(10)


def _mail_server(pipe: Connection, folder: str, pipelining: bool) -> None:
    context, trusted = authority(Path(folder))
    with smtp_server(tls=context, starttls=True, pipelining=pipelining) as server:
        pipe.send((server.port, str(trusted)))
        pipe.recv()


def _web_server(pipe: Connection, answer: Said) -> None:
    with web_server(answer) as server:
        pipe.send((server.port, ""))
        pipe.recv()


if __name__ == "__main__":
    sys.exit(main())
