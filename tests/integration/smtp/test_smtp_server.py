"""SMTP against a real server: bytes, TLS, AUTH, kept connections, refusals."""

import email
import email.message
import email.policy
import os
import random
import ssl
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import trustme

from notifier.domain.attachments import Attachment
from notifier.domain.lanes import Channel
from notifier.domain.notification import Content, Outgoing
from notifier.domain.outcomes import Accepted, Deferred, Outcome, Refused, Uncertain
from notifier.domain.recipients import EmailAddress
from notifier.providers.base import Deadline, Provider, ProviderDefaults
from notifier.providers.registry import parse_provider_url
from tests.nodes.peers import peer, speaks_smtp
from tests.nodes.smtp import SmtpServer, smtp_server

DEFAULTS = ProviderDefaults(email_from="Acme <news@acme.example>")
AWKWARD = (
    "..\r\n.\r\n.hidden\r\n👩‍👩‍👧 e\u0301 שלום \u202eabc\u202c 4-byte \U0001d518\r\n"
    + "long " * 400
    + "\r\n"
    + "x" * 3000
)


@contextmanager
def provider_of(url: str) -> Iterator[Provider]:
    provider = parse_provider_url(Channel.EMAIL, url, DEFAULTS).build()
    try:
        yield provider
    finally:
        provider.close()


def send(provider: Provider, *, to: str = "ada@example.com", seconds: float = 10, **content: Any) -> Outcome:
    said = Content(**({"subject": "Hi", "text": "there"} | content))
    return provider.send(
        Outgoing(id=uuid4(), recipient=EmailAddress(to, "Ada"), content=said), Deadline(seconds)
    )


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with smtp_server(data_size_limit=30_000_000) as running:
        yield running


@pytest.fixture
def plain(server: SmtpServer) -> Iterator[Provider]:
    with provider_of(f"smtp://127.0.0.1:{server.port}") as provider:
        yield provider


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def context_for(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def test_a_message_arrives_byte_equal(server: SmtpServer, plain: Provider):
    """Leading dots, long lines, emoji, RTL, combining marks: the server holds what was written."""
    outcome = send(plain, subject="Größe 👋", text=AWKWARD, html=f"<p>{AWKWARD}</p>")
    assert isinstance(outcome, Accepted), outcome
    assert outcome.reference
    (mail,) = server.mailbox.wait_for(1)
    assert (mail.sender, mail.recipients) == ("news@acme.example", ("ada@example.com",))
    text, html = email.message_from_bytes(mail.data).get_payload()
    assert text.get_payload(decode=True) == AWKWARD.encode()
    assert html.get_payload(decode=True) == f"<p>{AWKWARD}</p>".encode()


def test_files_arrive_byte_equal(server: SmtpServer, plain: Provider):
    """Ten megabytes of any bytes, and one whose name is not ASCII."""
    data = random.Random(1).randbytes(10_000_000)
    files = tuple(
        Attachment(filename=name, content_type="application/pdf", data=b64encode(one).decode())
        for name, one in (("größe.pdf", data), ("dots.pdf", b".\r\n..\r\n"))
    )
    outcome = send(plain, html="<p>there</p>", attachments=files)
    assert isinstance(outcome, Accepted), outcome
    (mail,) = server.mailbox.wait_for(1)
    received = email.message_from_bytes(mail.data, policy=email.policy.default)
    assert isinstance(received, email.message.EmailMessage)
    parts = list(received.iter_attachments())
    assert [part.get_filename() for part in parts] == ["größe.pdf", "dots.pdf"]
    assert [part.get_payload(decode=True) for part in parts] == [data, b".\r\n..\r\n"]


@pytest.mark.parametrize("text", [".", "..", ".\r\n", "a\r\n.\r\nb", "x" * 76, "é", "", "\r\n" * 3])
def test_small_awkward_texts_arrive_byte_equal(server: SmtpServer, plain: Provider, text: str):
    """None of them ends the message early or loses its last line end."""
    assert isinstance(send(plain, text=text), Accepted)
    (mail,) = server.mailbox.wait_for(1)
    assert email.message_from_bytes(mail.data).get_payload(decode=True) == text.encode()


def test_the_message_id_is_the_same_in_every_attempt(server: SmtpServer, plain: Provider):
    """A recipient's server can tell that two attempts are one message."""
    for attempt in (1, 2):
        outgoing = Outgoing(
            id=UUID(int=7), recipient=EmailAddress("a@b.example"), content=Content(text="x"), attempt=attempt
        )
        assert isinstance(plain.send(outgoing, Deadline(10)), Accepted)
    first, second = server.mailbox.wait_for(2)
    assert first.message_id == second.message_id == f"<ntf_{UUID(int=7)}@acme.example>"


def test_one_connection_serves_many_messages(server: SmtpServer, plain: Provider):
    """A new connection for each would cost more than the message."""
    for _ in range(20):
        assert isinstance(send(plain), Accepted)
    assert server.connections == 1


def test_a_connection_is_left_after_its_messages(server: SmtpServer):
    """After `connection_messages` the next message takes a fresh connection."""
    with provider_of(f"smtp://127.0.0.1:{server.port}?connection_messages=3") as provider:
        for _ in range(7):
            assert isinstance(send(provider), Accepted)
    assert server.connections == 3


def test_a_kept_connection_that_died_is_replaced_unseen(server: SmtpServer, plain: Provider):
    """The server restarted between two messages: the second goes out at once, and once."""
    assert isinstance(send(plain), Accepted)
    server.cut()
    assert isinstance(send(plain), Accepted)
    assert len(server.mailbox.wait_for(2)) == 2
    assert server.connections == 2


def test_a_refused_recipient_does_not_spoil_the_connection(server: SmtpServer, plain: Provider):
    """A refusal ends that message only; the next goes over the same connection."""
    server.mailbox.replies["RCPT"] = "550 5.1.1 <ada@example.com>: no such user"
    refused = send(plain)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.answer.code) == ("invalid_recipient", "550 5.1.1")
    assert "ada@" not in refused.answer.text
    server.mailbox.replies.clear()
    assert isinstance(send(plain), Accepted)
    assert server.connections == 1


def test_421_drops_the_connection(server: SmtpServer, plain: Provider):
    """The server asked to go away: throttled, and the next message takes a fresh connection."""
    server.mailbox.replies["DATA"] = "421 4.7.0 too busy"
    outcome = send(plain)
    assert isinstance(outcome, Deferred)
    assert (outcome.reason, outcome.not_before) == ("throttled", 30.0)
    server.mailbox.replies.clear()
    assert isinstance(send(plain), Accepted)
    assert server.connections == 2


def test_a_message_larger_than_the_server_takes_is_not_sent():
    """SIZE (RFC 1870) is known from EHLO."""
    with (
        smtp_server(data_size_limit=5_000) as server,
        provider_of(f"smtp://127.0.0.1:{server.port}") as provider,
    ):
        outcome = send(provider, text="x" * 10_000)
        assert isinstance(outcome, Refused)
        assert outcome.reason == "content_rejected"
        assert isinstance(send(provider), Accepted)
        assert len(server.mailbox.mails) == 1


def test_a_non_ascii_address_needs_smtputf8():
    """With SMTPUTF8 it arrives as it is; without, it is refused and nothing is sent."""
    with smtp_server() as server, provider_of(f"smtp://127.0.0.1:{server.port}") as provider:
        assert isinstance(send(provider, to="jørn@example.com"), Accepted)
        assert server.mailbox.wait_for(1)[0].recipients == ("jørn@example.com",)
    with (
        smtp_server(enable_SMTPUTF8=False) as server,
        provider_of(f"smtp://127.0.0.1:{server.port}") as provider,
    ):
        outcome = send(provider, to="jørn@example.com")
        assert isinstance(outcome, Refused)
        assert outcome.reason == "provider_rejected"
        assert isinstance(send(provider), Accepted)


def test_starttls_with_a_password(authority: trustme.CA, ca_file: Path):
    """Encrypted first, then the password; a percent-encoded one arrives decoded."""
    with smtp_server(
        tls=context_for(authority, "localhost"), starttls=True, login=("me@x", "pä/s")
    ) as server:
        url = f"smtp+starttls://me%40x:p%C3%A4%2Fs@localhost:{server.port}?ca_file={ca_file}"
        with provider_of(url) as provider:
            assert isinstance(send(provider), Accepted)
            assert isinstance(send(provider), Accepted)
        assert server.logins == [("me@x", "pä/s")]


def test_smtps(authority: trustme.CA, ca_file: Path):
    """TLS from the first byte."""
    with smtp_server(tls=context_for(authority, "localhost")) as server:
        with provider_of(f"smtps://localhost:{server.port}?ca_file={ca_file}") as provider:
            assert isinstance(send(provider, text=AWKWARD * 50), Accepted)
        assert len(server.mailbox.wait_for(1)) == 1


@pytest.mark.parametrize("starttls", [True, False])
@pytest.mark.parametrize("fault", ["unknown authority", "another host"])
def test_a_certificate_that_will_not_do_is_ours_to_mend(
    authority: trustme.CA, ca_file: Path, starttls: bool, fault: str
):
    """Nothing is sent over it, the notification waits, and only a dangerous option goes on."""
    name = "localhost" if fault == "unknown authority" else "elsewhere.example"
    issuer = trustme.CA() if fault == "unknown authority" else authority
    with smtp_server(tls=context_for(issuer, name), starttls=starttls) as server:
        scheme = "smtp+starttls" if starttls else "smtps"
        url = f"{scheme}://localhost:{server.port}?ca_file={ca_file}"
        with provider_of(url) as provider:
            outcome = send(provider)
            assert isinstance(outcome, Deferred)
            assert outcome.reason == "auth_failed"
            assert "certificate" in outcome.answer.text
        assert server.mailbox.mails == []
        with provider_of(f"{url}&dangerous_no_verify=true") as provider:
            assert isinstance(send(provider), Accepted)


def test_no_way_down_when_starttls_is_missing(server: SmtpServer):
    """A server, or someone in between, that hides STARTTLS gets neither password nor message."""
    with provider_of(f"smtp+starttls://me:passw0rd@127.0.0.1:{server.port}") as provider:
        outcome = send(provider)
    assert isinstance(outcome, Deferred)
    assert outcome.reason == "auth_failed"
    assert server.mailbox.mails == []


def test_what_was_said_before_the_handshake_is_not_believed():
    """Replies injected in plain text behind the 220 of STARTTLS end the session (CVE-2011-0411)."""
    replies = {"EHLO": "250-peer\r\n250 STARTTLS", "STARTTLS": "220 go\r\n250 injected"}
    with (
        peer(speaks_smtp(replies)) as bad,
        provider_of(f"smtp+starttls://127.0.0.1:{bad.port}?dangerous_no_verify=true") as provider,
    ):
        assert isinstance(send(provider), Deferred)


def test_a_missing_ca_file_is_ours_to_mend(tmp_path: Path):
    """Never a fall back to no verification."""
    with provider_of(f"smtps://127.0.0.1:1?ca_file={tmp_path}/none.pem") as provider:
        outcome = send(provider)
    assert isinstance(outcome, Deferred)
    assert outcome.reason == "auth_failed"


@pytest.mark.parametrize("excluded", [["PLAIN"], ["LOGIN"]])
def test_auth_plain_and_login(excluded: list[str]):
    """Whichever of the two the server knows."""
    with smtp_server(login=("me", "passw0rd"), auth_exclude_mechanism=excluded) as server:
        with provider_of(f"smtp://me:passw0rd@127.0.0.1:{server.port}") as provider:
            assert isinstance(send(provider), Accepted)
        with provider_of(f"smtp://me:wr0ng-one@127.0.0.1:{server.port}") as provider:
            outcome = send(provider)
            assert isinstance(outcome, Deferred)
            assert (outcome.reason, outcome.answer.code) == ("auth_failed", "535 5.7.8")
        assert len(server.mailbox.wait_for(1)) == 1


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_a_server_that_repeats_the_credentials_tells_us_nothing(mechanism: str):
    """They are masked in what is kept, plain and in base64."""
    replies = {
        "EHLO": f"250-peer\r\n250 AUTH {mechanism}",
        "AUTH": "535 5.7.8 {line} for mailer with passw0rd",
    }
    with (
        peer(speaks_smtp(replies)) as bad,
        provider_of(f"smtp://mailer:passw0rd@127.0.0.1:{bad.port}") as provider,
    ):
        outcome = send(provider)
    assert isinstance(outcome, Deferred)
    (said,) = [line.split() for line in bad.heard if line.startswith("AUTH")]
    kept = outcome.answer.text.split()
    assert kept[1:3] == said[:2]
    assert not {"mailer", "passw0rd", *said[2:]} & set(kept)


def test_a_server_without_auth_is_ours_to_mend(server: SmtpServer):
    """A password was given, so it must be used."""
    with (
        peer(speaks_smtp({"EHLO": "250 peer"})) as bare,
        provider_of(f"smtp://me:passw0rd@127.0.0.1:{bare.port}") as provider,
    ):
        outcome = send(provider)
    assert isinstance(outcome, Deferred)
    assert outcome.reason == "auth_failed"


BEFORE_THE_END = ["GREETING", "EHLO", "MAIL", "RCPT", "DATA", "BODY"]


@pytest.mark.parametrize("place", BEFORE_THE_END)
def test_a_connection_lost_before_the_final_dot_defers(place: str):
    """The server must throw away what has no end."""
    with peer(speaks_smtp({place: None})) as bad, provider_of(f"smtp://127.0.0.1:{bad.port}") as provider:
        outcome = send(provider, text="x" * 20_000_000 if place == "BODY" else "x")
    assert isinstance(outcome, Deferred), outcome
    assert outcome.reason == "provider_unavailable"


@pytest.mark.parametrize("place", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA"])
def test_silence_before_the_final_dot_is_a_timeout(place: str):
    """Each step is under the whole call's deadline."""
    with peer(speaks_smtp({place: "HANG"})) as bad, provider_of(f"smtp://127.0.0.1:{bad.port}") as provider:
        outcome = send(provider, seconds=0.5)
    assert isinstance(outcome, Deferred)
    assert outcome.reason == "provider_timeout"


def test_a_server_that_stops_reading_the_body_is_a_timeout():
    """Writing is under the deadline too, and without the dot nothing was sent."""
    with peer(speaks_smtp({"BODY": "HANG"})) as bad, provider_of(f"smtp://127.0.0.1:{bad.port}") as provider:
        started = time.monotonic()
        outcome = send(provider, text="x" * 20_000_000, seconds=1.5)
        took = time.monotonic() - started
    assert isinstance(outcome, Deferred), outcome
    assert outcome.reason == "provider_timeout"
    assert took < 4


@pytest.mark.parametrize("dot", [None, "HANG", "no smtp at all", "\r\n"])
def test_after_the_final_dot_only_an_answer_tells(dot: str | None):
    """Lost, silent or out of its mind: nobody knows."""
    with peer(speaks_smtp({"DOT": dot})) as bad, provider_of(f"smtp://127.0.0.1:{bad.port}") as provider:
        outcome = send(provider, seconds=1)
    assert isinstance(outcome, Uncertain), outcome


def test_a_421_at_the_first_word_of_a_kept_connection_takes_a_fresh_one():
    """The server had closed it for idleness; the message was not heard of, so it is no ending."""
    with peer(speaks_smtp()) as bad, provider_of(f"smtp://127.0.0.1:{bad.port}") as provider:
        assert isinstance(send(provider), Accepted)
        bad.say_once["MAIL"] = "421 4.4.2 timeout exceeded"
        assert isinstance(send(provider), Accepted)
        assert len(bad.connections) == 2


def test_a_reply_that_never_ends_is_cut_off():
    """Lines for ever cost neither memory nor more than the deadline."""
    with (
        peer(speaks_smtp({"EHLO": "\r\n".join(["250-x" + "y" * 500] * 200) + "\r\n250 x"})) as bad,
        provider_of(f"smtp://127.0.0.1:{bad.port}") as provider,
    ):
        outcome = send(provider, seconds=5)
    assert isinstance(outcome, Deferred)
    assert outcome.reason == "provider_unavailable"


def test_an_old_server_without_ehlo_will_do():
    """HELO (RFC 5321, 3.2)."""
    with (
        peer(speaks_smtp({"EHLO": "502 what?"})) as old,
        provider_of(f"smtp://127.0.0.1:{old.port}") as provider,
    ):
        assert isinstance(send(provider), Accepted)


def test_an_unknown_host_defers():
    """A name that can't be resolved may be tomorrow."""
    with provider_of("smtp://no-such-host.invalid") as provider:
        outcome = send(provider, seconds=10)
    assert isinstance(outcome, Deferred)


def test_the_ledger_process_counts_what_it_accepted(tmp_path: Path):
    """The server in its own process writes one line per message, and ends on SIGTERM."""
    ledger = tmp_path / "ledger"
    command = [sys.executable, "-m", "tests.nodes.smtp", "--port", "0", "--ledger", str(ledger)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3], text=True)
    try:
        assert process.stdout is not None
        ready, port = process.stdout.readline().split()
        assert ready == "ready"
        with provider_of(f"smtp://127.0.0.1:{port}") as provider:
            for _ in range(50):
                assert isinstance(send(provider), Accepted)
        lines = [line.split() for line in ledger.read_text().splitlines()]
        assert len({message_id for message_id, _, _, _ in lines}) == 50
        assert {(count, int(pid)) for _, count, pid, _ in lines} == {("1", process.pid)}
        assert process.pid != os.getpid()
    finally:
        process.terminate()
        process.communicate(timeout=10)
    assert process.returncode == 0
