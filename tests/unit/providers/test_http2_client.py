"""The HTTP/2 client: what became of a request is told truly and in time; only what was not looked at is sent again."""

import socket
import struct
import threading
import time
from contextlib import contextmanager

import h2.config
import h2.connection
import pytest
from h2.events import RequestReceived

from notifier.domain.lifecycle import Reason
from notifier.providers import http2_connection
from notifier.providers.base import Deadline
from notifier.providers.http2_client import Http2Client
from notifier.providers.http2_frames import FrameSplitter
from notifier.providers.http_values import MAX_BODY, Endpoint, NoAnswer, NotSent, Reply, Request
from tests.nodes.http2 import Fault2, http2_server
from tests.nodes.peers import closes, hangs, peer, trickles
from tests.nodes.web import Said, authority, web_server

POST = Request(path="/3/device/a?b=1", headers={"X-Token": "t"}, body=b'{"a":1}')
OK = Said(200, b"{}", {"X-Id": "1"})
UNSEEN = NotSent(Reason.PROVIDER_UNAVAILABLE, "the connection ended before the request was looked at")
SETTINGS = b"\0\0\0\x04\0\0\0\0\0"
PING = b"\0\0\x08\x06\0\0\0\0\0" + b"12345678"
#: No stream was looked at.
GOAWAY = b"\0\0\x08\x07\0\0\0\0\0" + b"\0\0\0\0" + b"\0\0\0\0"


def reset(connection):
    """Close so that the other side is told of a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@contextmanager
def client_of(port, host="127.0.0.1", **settings):
    client = Http2Client(Endpoint(host=host, port=port, **{"plain": True, "connect_timeout": 2, **settings}))
    try:
        yield client
    finally:
        client.close()


def sent(client, seconds=5.0, request=POST):
    return client.send(request, Deadline(seconds))


def test_a_request_arrives_as_it_was_meant():
    """Method, path with query, headers and body; and the answer as it was given."""
    with http2_server(OK) as server, client_of(server.port) as client:
        reply = sent(client)
        assert (reply.status, reply.headers["x-id"], reply.body, reply.whole) == (200, "1", b"{}", True)
        (heard,) = server.heard
        assert (heard.method, heard.path, heard.body) == ("POST", "/3/device/a?b=1", b'{"a":1}')
        assert heard.headers["x-token"] == "t"
        assert heard.headers[":authority"] == f"127.0.0.1:{server.port}"
        assert heard.headers["user-agent"].startswith("notifier/")


def test_one_connection_is_kept_for_thousands_of_bytes():
    """More than its first window holds: the peer opens it again, and so do we."""
    big = Request(path="/", body=b"x" * 4_096)
    with http2_server(Said(200, b"y" * 4_096)) as server, client_of(server.port) as client:
        assert {len(sent(client, request=big).body) for _ in range(40)} == {4_096}
        assert (len(server.heard), server.connections) == (40, 1)


def test_a_body_of_many_frames_waits_for_nothing_but_the_window():
    """The peer has no word to say before it has all of it."""
    big = Request(path="/", body=b"x" * 40_000)
    with http2_server(OK) as server, client_of(server.port) as client:
        sent(client)
        assert isinstance(sent(client, 2, big), Reply)
        assert len(server.heard[-1].body) == 40_000


def test_a_body_waits_for_the_window():
    """The peer takes a hundred bytes at a time, and says when it will take more."""
    with http2_server(OK, window=100) as server, client_of(server.port) as client:
        sent(client)  # the window is not known before the first answer
        big = Request(path="/", body=b"x" * 4_096)
        assert isinstance(sent(client, request=big), Reply)
        assert [len(heard.body) for heard in server.heard] == [7, 4_096]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault2.CLOSE, NoAnswer("the connection was closed before an answer")),
        (Fault2.GARBAGE, NoAnswer("the connection was closed before an answer")),
        (Fault2.GOAWAY_SEEN, NoAnswer("the connection was closed before an answer")),
        (Fault2.RESET, NoAnswer("the request was reset before an answer")),
        (Fault2.HANG, NoAnswer("no answer in time")),
        (Fault2.PINGS, NoAnswer("no answer in time")),
        (Fault2.GOAWAY_UNSEEN, UNSEEN),
        (
            Fault2.REFUSE,
            NotSent(Reason.PROVIDER_UNAVAILABLE, "the request was refused before it was looked at"),
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Fault2) else "",
)
def test_what_was_not_looked_at_is_told_from_what_may_have_been(fault, expected):
    """RFC 9113, 6.8 and 8.7; by the deadline, whatever trickles in."""
    with http2_server(fault) as server, client_of(server.port) as client:
        started = time.monotonic()
        assert sent(client, 0.6) == expected
        assert time.monotonic() - started < 2
        server.answer = OK
        assert isinstance(sent(client), Reply), "the next one is not harmed"


@pytest.mark.parametrize("fault", [Fault2.REFUSE, Fault2.GOAWAY_UNSEEN])
def test_what_was_not_looked_at_is_sent_again_once(fault):
    """Over a new connection, where it was a kept one that refused."""
    faults = [OK, fault, OK]
    with http2_server(lambda _: faults.pop(0)) as server, client_of(server.port) as client:
        sent(client)
        assert isinstance(sent(client), Reply)
        assert (len(server.heard), server.connections) == (3, 2)


@pytest.mark.parametrize("fault", [Fault2.RESET, Fault2.GOAWAY_SEEN, Fault2.CLOSE])
def test_what_may_have_been_looked_at_is_sent_once(fault):
    faults = [OK, fault]
    with http2_server(lambda _: faults.pop(0)) as server, client_of(server.port) as client:
        sent(client)
        assert isinstance(sent(client), NoAnswer)
        assert len(server.heard) == 2


def test_an_answer_after_a_goaway_counts():
    """A server that leaves in good order answers what it has taken; the next request goes elsewhere."""
    with http2_server(OK, leaves=True) as server, client_of(server.port) as client:
        assert isinstance(sent(client), Reply)
        assert isinstance(sent(client), Reply)
        assert (len(server.heard), server.connections) == (2, 2)


def test_what_a_peer_said_last_is_heard_though_our_own_words_cross_it():
    """Ours must not have its system throw away a GOAWAY that waits to be sent: so the peer hears us out."""
    with http2_server(Fault2.GOAWAY_UNSEEN) as server:
        for _ in range(200):
            with client_of(server.port) as client:
                assert sent(client) == UNSEEN


@pytest.mark.parametrize("last_words", [GOAWAY, b""], ids=["goaway", "nothing"])
@pytest.mark.parametrize("encrypted", [False, True])
def test_a_goaway_is_read_though_the_connection_was_reset_and_takes_nothing_more(
    tmp_path, monkeypatch, encrypted, last_words
):
    """A reset ends what we may write; what came before it is there to be read."""
    context, trusted = authority(tmp_path)
    context.set_alpn_protocols(["h2"])
    gone = threading.Event()

    def leaves(_, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if encrypted:
            connection = context.wrap_socket(connection, server_side=True)
        heard = b""
        while POST.body not in heard:
            heard += connection.recv(65_536)
        connection.sendall(SETTINGS)
        connection.sendall(last_words)
        reset(connection)
        gone.set()

    def receive(self, exchange, deadline):
        assert gone.wait(60)
        return real(self, exchange, deadline)

    real = http2_connection.Http2Connection._receive
    monkeypatch.setattr(http2_connection.Http2Connection, "_receive", receive)
    more = {"plain": False, "ca_file": str(trusted)} if encrypted else {}
    with peer(leaves) as gone_peer, client_of(gone_peer.port, **more) as client:
        assert sent(client) == (
            UNSEEN if last_words else NoAnswer("the connection was closed before an answer")
        )


@pytest.mark.parametrize("by_reset", [False, True])
def test_an_answer_before_the_request_is_whole_counts(monkeypatch, by_reset):
    """A peer that has read enough answers and leaves (RFC 9113, 8.1): its word is heard, not our broken pipe."""
    gone = threading.Event()

    def refuses(_, connection):
        made = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        made.initiate_connection()
        while not any(isinstance(one, RequestReceived) for one in made.receive_data(connection.recv(65_536))):
            pass
        made.send_headers(1, [(":status", "413")], end_stream=True)
        connection.sendall(made.data_to_send())
        if by_reset:
            reset(connection)
        gone.set()
        while connection.recv(65_536):
            pass

    def write(sock, data, deadline):
        real(sock, data, deadline)
        assert gone.wait(60)

    real = http2_connection.send_all
    monkeypatch.setattr(http2_connection, "send_all", write)
    big = Request(path="/", body=b"x" * 100_000)
    with peer(refuses) as strict, client_of(strict.port) as client:
        reply = sent(client, 5, big)
        assert isinstance(reply, Reply), reply
        assert (reply.status, reply.whole) == (413, True)


def test_a_kept_connection_that_was_closed_is_replaced():
    """It is noticed before the request is written."""
    with http2_server(Said(200, closes=True)) as server, client_of(server.port) as client:
        assert isinstance(sent(client), Reply)
        assert server.ended.wait(60)
        assert isinstance(sent(client), Reply)
        assert (len(server.heard), server.connections) == (2, 2)


def test_a_connection_that_was_quiet_for_long_is_left():
    with http2_server(OK) as server, client_of(server.port, idle_seconds=0.0) as client:
        sent(client)
        sent(client)
        assert server.connections == 2


@pytest.mark.parametrize("fault", [Fault2.TRICKLE, Fault2.CUT, Fault2.HUGE])
def test_a_status_is_an_answer_though_its_body_is_not_whole(fault):
    """And its connection is left."""
    with http2_server(fault) as server, client_of(server.port) as client:
        reply = sent(client, 0.6)
        assert isinstance(reply, Reply)
        assert (reply.status, reply.whole) == (200, False)
        assert len(reply.body) <= MAX_BODY
        server.answer = OK
        assert sent(client).whole
        assert server.connections == 2


@pytest.mark.parametrize("behaviour", [hangs, trickles])
def test_a_peer_that_is_no_http2_never_breaks_the_deadline(behaviour):
    with peer(behaviour) as bad, client_of(bad.port) as client:
        started = time.monotonic()
        assert isinstance(sent(client, 0.6), NoAnswer)
        assert time.monotonic() - started < 2


def test_nobody_listening_and_no_time_left_are_told_apart():
    with peer(closes) as gone:
        port = gone.port
    with client_of(port) as client:
        assert sent(client).reason is Reason.PROVIDER_UNAVAILABLE
        assert sent(client, 0.0).reason is Reason.PROVIDER_TIMEOUT
        assert client.reach(Deadline(2)).reason is Reason.PROVIDER_UNAVAILABLE


def test_over_tls_the_certificate_is_verified_and_http2_agreed_on(tmp_path):
    """An authority that is not trusted is ours to mend; a server of HTTP/1.1 only is not taken for one of HTTP/2."""
    context, trusted = authority(tmp_path)
    with http2_server(OK, context) as server:
        with client_of(server.port, plain=False) as stranger:
            result = sent(stranger)
            assert result.reason is Reason.AUTH_FAILED
            assert "certificate" in result.text
        with client_of(server.port, plain=False, ca_file=str(trusted)) as client:
            assert client.reach(Deadline(5)) is None
            assert isinstance(sent(client), Reply)
            assert isinstance(sent(client), Reply)
        assert [heard.connection for heard in server.heard] == [2, 2]
    old, trusted = authority(tmp_path)
    with web_server(OK, old) as server, client_of(server.port, plain=False, ca_file=str(trusted)) as client:
        assert sent(client) == NotSent(Reason.PROVIDER_UNAVAILABLE, "the server does not offer HTTP/2")
        assert server.heard == []


def test_a_handshake_that_never_ends_is_left_in_time():
    with peer(hangs) as silent, client_of(silent.port, plain=False) as client:
        started = time.monotonic()
        assert sent(client, 0.6).reason is Reason.PROVIDER_TIMEOUT
        assert time.monotonic() - started < 2


def test_a_peer_that_takes_nothing_more_is_left_in_time():
    """The request's end was never written: it was not looked at."""
    with peer(hangs) as slow, client_of(slow.port) as client:
        huge = Request(path="/", body=b"x" * 10_000_000)
        started = time.monotonic()
        assert sent(client, 0.6, huge).reason is Reason.PROVIDER_TIMEOUT
        assert time.monotonic() - started < 2


def test_goaway_is_found_however_it_is_cut():
    """Byte by byte, between other frames; those go on as they came."""
    goaway = b"\0\0\x0a\x07\0\0\0\0\0" + b"\0\0\0\x05" + b"\0\0\0\x01" + b"no"
    stream = PING + goaway + PING
    splitter, passed = FrameSplitter(), b""
    for byte in stream:
        passed += splitter.feed(bytes([byte]))
    assert passed == PING + PING
    assert (splitter.goaway.last_stream_id, splitter.goaway.error_code, splitter.goaway.debug) == (
        5,
        1,
        b"no",
    )
    assert FrameSplitter().feed(stream) == PING + PING


def test_a_frame_that_is_too_long_is_not_waited_for():
    """Else a peer could have us keep 16 MB."""
    assert FrameSplitter().feed(b"\xff\xff\xff\0\0\0\0\0\0") == b"\xff\xff\xff\0\0\0\0\0\0"
