"""The HTTP client: what became of a request is told truly, in time, and only what is safe is sent again."""

import socket
import threading
import time
from contextlib import contextmanager

import pytest

from notifier.domain.lifecycle import Reason
from notifier.providers.base import Deadline
from notifier.providers.http_client import (
    MAX_BODY,
    Endpoint,
    HttpClient,
    NoAnswer,
    NotSent,
    Reply,
    Request,
)
from notifier.providers.http_connection import DeadlineSocket
from notifier.providers.wire import DeadlinePassed
from tests.nodes.peers import closes, peer
from tests.nodes.web import Fault, Said, authority, web_server

POST = Request(path="/messages?a=1", headers={"X-Token": "t"}, body=b"hello=1")


@contextmanager
def client_of(port, **settings):
    client = HttpClient(Endpoint(host="127.0.0.1", port=port, **{"plain": True, **settings}))
    try:
        yield client
    finally:
        client.close()


def test_a_request_arrives_as_it_was_meant():
    """Method, path with query, headers and body; Host names the port, and nothing asks for compression."""
    with web_server(Said(201, b"{}")) as server, client_of(server.port) as client:
        reply = client.send(POST, Deadline(5))
        assert isinstance(reply, Reply)
        assert (reply.status, reply.body, reply.whole) == (201, b"{}", True)
        (heard,) = server.heard
        assert (heard.method, heard.path, heard.body) == ("POST", "/messages?a=1", b"hello=1")
        assert heard.headers["host"] == f"127.0.0.1:{server.port}"
        assert heard.headers["x-token"] == "t"
        assert heard.headers["user-agent"].startswith("notifier/")
        assert heard.headers["accept-encoding"] == "identity"


def answering(raw):
    """A peer that reads a request's first bytes and answers `raw`, on each connection as often as it is asked."""

    def behave(this, connection):
        while connection.recv(65_536):
            connection.sendall(raw)

    return behave


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    ],
)
def test_every_framing_leaves_the_connection_fit_for_more(raw, body):
    """Answers without a body, with an empty, a counted and a chunked one: the next goes over the same connection."""
    with peer(answering(raw)) as server, client_of(server.port) as client:
        for _ in range(3):
            reply = client.send(POST, Deadline(5))
            assert isinstance(reply, Reply)
            assert (reply.body, reply.whole) == (body, True)
        assert len(server.connections) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=0\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    ],
    ids=["close", "http-1.0", "keep-alive-0", "one-answer-too-many"],
)
def test_a_connection_that_is_not_to_be_kept_is_not(raw):
    """Because the server says so, or because it said more than it was asked."""
    with peer(answering(raw)) as server, client_of(server.port) as client:
        for _ in range(2):
            reply = client.send(POST, Deadline(5))
            assert isinstance(reply, Reply)
            assert reply.body == b"ok"
        assert len(server.connections) == 2


def test_a_connection_is_left_when_it_was_quiet_for_long():
    """Before the server leaves it: a request that meets the closing is one that nobody knows about."""
    with web_server(Said()) as server, client_of(server.port, idle_seconds=0.0) as client:
        assert isinstance(client.send(POST, Deadline(5)), Reply)
        assert isinstance(client.send(POST, Deadline(5)), Reply)
        assert server.connections == 2


def test_a_kept_connection_that_dies_under_the_request_is_no_answer():
    """The server took the request before it went: it is not sent again."""
    with web_server(Said()) as server, client_of(server.port) as client:
        assert isinstance(client.send(POST, Deadline(5)), Reply)
        server.answer = Fault.CLOSE
        assert isinstance(client.send(POST, Deadline(5)), NoAnswer)
        assert (len(server.heard), server.connections) == (2, 1)
        server.answer = Said()
        assert isinstance(client.send(POST, Deadline(5)), Reply)
        assert server.connections == 2


def test_an_answer_that_stops_midway_takes_its_connection_with_it():
    """What is still to come would be taken for the answer to the next request."""

    def half(this, connection):
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{")
        this.stop.wait()

    with peer(half) as server, client_of(server.port) as client:
        for _ in range(2):
            reply = client.send(POST, Deadline(0.3))
            assert isinstance(reply, Reply)
            assert (reply.status, reply.body, reply.whole) == (201, b"{", False)
        assert len(server.connections) == 2


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.TRICKLE_HEADERS, Fault.TRICKLE_BODY])
def test_the_deadline_is_kept_under_tls_too(fault, tmp_path):
    """A byte each 100 ms is a whole record there, and trips no timeout of the socket."""
    context, trusted = authority(tmp_path)
    with (
        web_server(fault, context) as server,
        client_of(server.port, plain=False, ca_file=str(trusted)) as client,
    ):
        started = time.monotonic()
        result = client.send(POST, Deadline(0.6))
        assert time.monotonic() - started < 2.1
        assert isinstance(result, Reply if fault is Fault.TRICKLE_BODY else NoAnswer)
        assert len(server.heard) == 1


def test_a_body_is_read_up_to_its_bound():
    """What is longer is cut, told and not kept."""
    with web_server(Said(200, b"x" * (MAX_BODY + 1))) as server, client_of(server.port) as client:
        reply = client.send(POST, Deadline(5))
        assert isinstance(reply, Reply)
        assert (len(reply.body), reply.whole) == (MAX_BODY, False)
        server.answer = Said(200, b"x" * MAX_BODY)
        reply = client.send(POST, Deadline(5))
        assert isinstance(reply, Reply)
        assert (len(reply.body), reply.whole) == (MAX_BODY, True)


def test_an_answer_before_the_whole_request_is_heard():
    """A server that refuses a large request need not take all of it."""

    def refuses_early(this, connection):
        connection.recv(1_000)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        this.stop.wait()

    large = Request(path="/", body=b"x" * 30_000_000)
    with peer(refuses_early) as server, client_of(server.port) as client:
        started = time.monotonic()
        assert client.send(large, Deadline(1.0)) in (Reply(413), NoAnswer("no answer in time"))
        assert time.monotonic() - started < 3


def test_nothing_written_is_not_sent():
    """No name, nobody there, no time, no certificate: each says so, and each may be tried again."""
    with peer(closes) as gone:
        port = gone.port
    with client_of(port) as client:
        refused = client.send(POST, Deadline(5))
        assert isinstance(refused, NotSent)
        assert refused.reason == Reason.PROVIDER_UNAVAILABLE
        late = client.send(POST, Deadline(0))
        assert isinstance(late, NotSent)
        assert late.reason == Reason.PROVIDER_TIMEOUT
    nowhere = HttpClient(Endpoint(host="no-such-host.invalid", port=80, plain=True))
    unknown = nowhere.send(POST, Deadline(5))
    assert isinstance(unknown, NotSent)
    with client_of(port, plain=False, ca_file="/no/such/file.pem") as client:
        misconfigured = client.send(POST, Deadline(5))
        assert isinstance(misconfigured, NotSent)
        assert misconfigured.reason == Reason.AUTH_FAILED


def test_a_certificate_for_another_host_is_refused(tmp_path):
    """The authority is trusted, the name is not the one asked for."""
    context, trusted = authority(tmp_path, "another.example")
    with (
        web_server(Said(), context) as server,
        client_of(server.port, plain=False, ca_file=str(trusted)) as client,
    ):
        result = client.send(POST, Deadline(5))
        assert isinstance(result, NotSent)
        assert result.reason == Reason.AUTH_FAILED
        assert server.heard == []


def test_a_kept_connection_and_no_time_left_sends_nothing():
    """The deadline counts on a kept connection too."""
    with web_server(Said()) as server, client_of(server.port) as client:
        assert isinstance(client.send(POST, Deadline(5)), Reply)
        result = client.send(POST, Deadline(0))
        assert isinstance(result, NotSent)
        assert result.reason == Reason.PROVIDER_TIMEOUT
        assert len(server.heard) == 1


def test_a_write_that_fails_at_once_has_written_nothing():
    """The whole request goes in one call, so a call that fails left the peer without it."""
    ours, theirs = socket.socketpair()
    with ours:
        made = DeadlineSocket(ours, Deadline(5))
        theirs.close()
        assert not made.is_quiet()
        made.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(BrokenPipeError):
            made.flush()
        assert not made.written


def test_a_write_that_stops_midway_has_written():
    """The peer may have read what it took."""

    class Ending(Deadline):
        """Its end is near as soon as something is written, however long that took to begin."""

        def remaining(self):
            return 0.05 if made.written else 60.0

    ours, theirs = socket.socketpair()
    with ours, theirs:
        made = DeadlineSocket(ours, Ending(60))
        made.sendall(b"x" * 30_000_000)
        with pytest.raises(DeadlinePassed):
            made.flush()
        assert made.written


def test_a_request_shows_nothing_in_its_repr():
    """A stray log line can't leak it."""
    assert "hello" not in repr(POST)
    assert "X-Token" not in repr(POST)
    assert "body" not in repr(Reply(200, {"a": "secret"}, b"secret"))


def test_an_unread_header_is_not_logged(caplog):
    """The library would log the URL and the header's text at warning."""
    raw = b"HTTP/1.1 200 OK\r\nsecret text without a colon\r\nContent-Length: 0\r\n\r\n"
    with peer(answering(raw)) as server, client_of(server.port) as client:
        client.send(POST, Deadline(5))
    assert caplog.messages == []


def test_closing_while_idle_lets_go_of_the_socket():
    """The server sees the end of the connection, also after an answer was read."""
    gone = threading.Event()

    def behave(this, connection):
        while connection.recv(65_536):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        gone.set()

    with peer(behave) as server, client_of(server.port) as client:
        assert isinstance(client.send(POST, Deadline(5)), Reply)
        client.close()
        assert gone.wait(60)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433"])
def test_a_host_named_from_outside_must_be_public(host):
    """Nothing is connected to inside, whatever the name's spelling, and another try would be no better."""
    with web_server(Said()) as server:
        client = HttpClient(Endpoint(host=host, port=server.port, plain=True, public_only=True))
        result = client.send(POST, Deadline(5))
        client.close()
        assert result == NotSent(Reason.PROVIDER_REJECTED, "the host's address is not public", for_good=True)
        assert server.connections == 0
