"""A kept connection: how long, what becomes of it after a refusal, and when a fresh one is taken."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import uuid4

import pytest
import trustme

from notifier.domain.lanes import Channel
from notifier.domain.notification import Content, Outgoing
from notifier.domain.outcomes import Accepted, Deferred, Outcome, Refused, Uncertain
from notifier.domain.recipients import EmailAddress
from notifier.providers.base import Deadline, ProviderDefaults
from notifier.providers.smtp import Smtp, config_of
from notifier.providers.urls import parse_url
from tests.nodes.peers import Peer, peer, speaks_smtp
from tests.nodes.smtp import smtp_server
from tests.nodes.waiting import wait_until

DEFAULTS = ProviderDefaults(email_from="news@acme.example")
STAGES = ["RCPT", "DATA", "DOT"]
#: A server that takes commands one by one, and one that takes them in a group (RFC 2920).
BOOKS = {"one by one": {}, "grouped": {"EHLO": "250-peer\r\n250-PIPELINING\r\n250 AUTH PLAIN LOGIN"}}
books = pytest.mark.parametrize("book", BOOKS.values(), ids=BOOKS)


@contextmanager
def smtp(url: str, **config: float) -> Iterator[Smtp]:
    """The provider at `url`; `config` says what no URL may: caps of no time at all."""
    provider = Smtp(replace(config_of(parse_url(Channel.EMAIL, url), DEFAULTS), **config))
    try:
        yield provider
    finally:
        provider.close()


@contextmanager
def at(server: Peer, **config: float) -> Iterator[Smtp]:
    with smtp(f"smtp://127.0.0.1:{server.port}", **config) as provider:
        yield provider


def send(provider: Smtp, *, seconds: float = 10, text: str = "there", to: str = "ada@example.com") -> Outcome:
    outgoing = Outgoing(id=uuid4(), recipient=EmailAddress(to), content=Content(subject="Hi", text=text))
    return provider.send(outgoing, Deadline(seconds))


def verbs(server: Peer) -> list[str]:
    return [line.split(" ")[0].upper() for line in server.heard]


ONE = ["MAIL", "RCPT", "DATA"]


@pytest.mark.parametrize(
    ("caps", "connections"),
    [
        ({}, 1),
        ({"connection_messages": 1}, 3),
        ({"connection_messages": 2}, 2),
        ({"connection_seconds": 0.0}, 3),
        ({"idle_seconds": 0.0}, 3),
    ],
)
def test_a_connection_is_left_by_its_messages_its_age_or_its_idleness(caps, connections):
    """Each cap alone; the server is told QUIT, and each message arrives once."""
    with peer(speaks_smtp()) as server:
        with at(server, **caps) as provider:
            for _ in range(3):
                assert isinstance(send(provider), Accepted)
        assert len(server.connections) == connections
        # Nobody waits for the answer to QUIT.
        wait_until(lambda: verbs(server).count("QUIT") == connections, 5, "the farewells")
        assert verbs(server).count("DATA") == 3
        assert verbs(server).count("EHLO") == connections


def test_tls_and_a_password_are_needed_once_for_many_messages():
    """Shaking hands and logging in for each would cost more than the message, and limits count logins."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with (
        smtp_server(tls=context, starttls=True, login=("me", "passw0rd")) as server,
        authority.cert_pem.tempfile() as ca_file,
        smtp(f"smtp+starttls://me:passw0rd@localhost:{server.port}?ca_file={ca_file}") as provider,
    ):
        server.mailbox.replies["RCPT"] = "451 4.3.0 try later"
        assert isinstance(send(provider), Deferred)
        server.mailbox.replies.clear()
        for number in range(3):
            assert isinstance(send(provider, text=f"{number} " * 5000), Accepted)
        assert server.logins == [("me", "passw0rd")]
        assert {mail.peer_port for mail in server.mailbox.wait_for(3)} == {server.mailbox.mails[0].peer_port}


@books
@pytest.mark.parametrize("code", ["451 4.3.0 try later", "550 5.7.1 no"])
@pytest.mark.parametrize("stage", ["MAIL", *STAGES])
def test_a_refusal_ends_its_message_alone(stage, code, book):
    """RSET takes back what was begun, and is not said where the server has ended the message by itself."""
    with peer(speaks_smtp(book)) as server, at(server) as provider:
        server.say_once[stage] = code
        outcome = send(provider)
        assert isinstance(outcome, Deferred if code.startswith("4") else Refused), outcome
        first = len(server.heard)
        assert isinstance(send(provider), Accepted)
        assert isinstance(send(provider), Accepted)
        assert len(server.connections) == 1
        assert verbs(server)[first:] == ([] if stage == "DOT" else ["RSET"]) + ONE + ONE


@books
@pytest.mark.parametrize("reply", ["421 4.4.2 idle too long", "500 5.5.2 what?", "451 4.3.0 no"])
def test_a_reset_that_fails_takes_a_fresh_connection(reply, book):
    """The message was not heard of yet, so it is no ending."""
    with peer(speaks_smtp(book)) as server, at(server) as provider:
        server.say_once |= {"RCPT": "550 5.1.1 no such user", "RSET": reply}
        assert isinstance(send(provider), Refused)
        assert isinstance(send(provider), Accepted)
        assert len(server.connections) == 2


@pytest.mark.parametrize("kept", [False, True], ids=["fresh", "kept"])
@pytest.mark.parametrize("stage", STAGES)
def test_421_in_the_middle_is_throttled_and_the_next_message_connects_anew(stage, kept):
    """The server asked us to go away (RFC 5321, 3.8): not one word more over that connection."""
    with peer(speaks_smtp()) as server, at(server) as provider:
        if kept:
            assert isinstance(send(provider), Accepted)
        server.say_once[stage] = "421 4.3.2 shutting down"
        outcome = send(provider)
        assert isinstance(outcome, Deferred)
        assert (outcome.reason, outcome.not_before, outcome.one_connection) == ("throttled", 30.0, True)
        first = len(server.heard)
        assert isinstance(send(provider), Accepted)
        assert len(server.connections) == 2
        assert verbs(server)[first:] == ["EHLO", *ONE]


@pytest.mark.parametrize("stage", ["MAIL", *STAGES])
def test_421_within_a_group_ends_it_and_the_next_message_connects_anew(stage):
    """What the server still had to say is not waited for; at MAIL of a fresh connection it is an ending too."""
    with peer(speaks_smtp(BOOKS["grouped"])) as server, at(server) as provider:
        server.say_once[stage] = "421 4.3.2 shutting down"
        outcome = send(provider)
        assert isinstance(outcome, Deferred)
        assert outcome.reason == "throttled"
        assert isinstance(send(provider), Accepted)
        assert len(server.connections) == 2


def answers_groups(this: Peer, connection: socket.socket) -> None:
    """Offers PIPELINING, and answers no command before DATA has come."""
    with connection.makefile("rb") as lines:
        connection.sendall(b"220 peer\r\n")
        lines.readline()
        connection.sendall(b"250-peer\r\n250 PIPELINING\r\n")
        for line in lines:
            this.heard.append(line.decode().strip())
            if line == b"DATA\r\n":
                connection.sendall(b"250 ok\r\n250 ok\r\n354 go on\r\n")
                while lines.readline() != b".\r\n":
                    pass
                connection.sendall(b"250 2.0.0 Ok: queued as 4PEER\r\n")


def test_commands_go_out_together_where_the_server_offers_it():
    """MAIL, RCPT and DATA wait for no reply between them; the content waits for all of them."""
    with peer(answers_groups) as server, at(server) as provider:
        for _ in range(2):
            assert isinstance(send(provider, seconds=5), Accepted)
        assert verbs(server)[:6] == ONE + ONE
        assert len(server.connections) == 1


def test_a_refused_recipient_never_gets_the_content_though_the_server_asks_for_it():
    """354 behind a refused RCPT is answered by a dot alone (RFC 2920, 3.1), and the refusal stands."""
    with smtp_server(pipelining=True) as server, smtp(f"smtp://127.0.0.1:{server.port}") as provider:
        server.mailbox.replies["RCPT"] = "550 5.1.1 no such user"
        assert isinstance(send(provider), Refused)
        server.mailbox.replies.clear()
        assert isinstance(send(provider), Accepted)
        assert server.connections == 1
        assert len(server.mailbox.wait_for(1)) == 1
    with peer(speaks_smtp(BOOKS["grouped"] | {"RCPT": "550 5.1.1 no", "DOT": None})) as server:
        with at(server) as provider:
            assert isinstance(send(provider, text="a secret"), Refused)
        assert not [line for line in server.heard if "secret" in line]


def test_421_behind_a_refusal_is_heard():
    """The refusal is the ending, and not one word more goes over that connection."""
    with peer(speaks_smtp(BOOKS["grouped"])) as server, at(server) as provider:
        server.say_once |= {"RCPT": "550 5.1.1 no such user", "DATA": "421 4.3.2 shutting down"}
        assert isinstance(send(provider), Refused)
        assert isinstance(send(provider), Accepted)
        assert len(server.connections) == 2
        assert "RSET" not in verbs(server)


def test_a_server_that_hangs_behind_a_refusal_costs_no_more_than_the_deadline():
    """The refusal is the ending, whatever becomes of the rest of its group."""
    with peer(speaks_smtp(BOOKS["grouped"])) as server, at(server) as provider:
        server.say_once |= {"RCPT": "550 5.1.1 no such user", "DATA": "HANG"}
        assert isinstance(send(provider, seconds=0.5), Refused)
        assert isinstance(send(provider, seconds=5), Accepted)
        assert len(server.connections) == 2


@books
def test_a_connection_that_dies_at_its_first_word_is_replaced_once(book):
    """A server that greets and goes is an ending, not a loop."""
    with peer(speaks_smtp(book)) as server, at(server) as provider:
        assert isinstance(send(provider), Accepted)
        server.say_once |= {"MAIL": "421 4.4.2 idle too long", "EHLO": "421 4.3.2 shutting down"}
        outcome = send(provider)
        assert isinstance(outcome, Deferred)
        assert outcome.reason == "throttled"
        assert len(server.connections) == 2
        assert isinstance(send(provider), Accepted)


@books
def test_a_kept_connection_is_under_each_messages_own_deadline(book):
    """A server that stops reading the second message costs that one its time, and the third connects anew."""
    with peer(speaks_smtp(book)) as server, at(server) as provider:
        assert isinstance(send(provider, seconds=5), Accepted)
        server.say_once["DATA"] = "HANG"
        outcome = send(provider, seconds=0.5)
        assert isinstance(outcome, Deferred)
        assert outcome.reason == "provider_timeout"
        assert isinstance(send(provider, seconds=5), Accepted)
        server.say_once["DOT"] = "HANG"
        assert isinstance(send(provider, seconds=0.5), Uncertain)
        assert isinstance(send(provider, seconds=5), Accepted)
        assert len(server.connections) == 3


def test_a_kept_connection_outlives_the_deadline_it_was_made_under():
    """The next message has a time of its own on it, however little the first had left."""
    with smtp_server() as server, smtp(f"smtp://127.0.0.1:{server.port}") as provider:
        first = Deadline(0.5)
        assert isinstance(send(provider, seconds=0.5), Accepted)
        wait_until(lambda: first.passed, 60, "the first deadline")
        assert isinstance(send(provider, seconds=5), Accepted)
        assert len({mail.peer_port for mail in server.mailbox.wait_for(2)}) == 1


def test_addresses_of_both_kinds_share_a_connection():
    """SMTPUTF8 (RFC 6531) is said for the one that needs it, and arrives as it was written."""
    with smtp_server() as server, smtp(f"smtp://127.0.0.1:{server.port}") as provider:
        for to in ("jørn@example.com", "ada@example.com", "用户@example.com"):
            assert isinstance(send(provider, to=to), Accepted)
        mails = server.mailbox.wait_for(3)
        assert [mail.recipients[0] for mail in mails] == [
            "jørn@example.com",
            "ada@example.com",
            "用户@example.com",
        ]
        assert ["\r\nTo: jørn@".encode() in mail.data for mail in mails] == [True, False, False]
        assert len({mail.peer_port for mail in mails}) == 1
