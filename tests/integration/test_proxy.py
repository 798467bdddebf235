"""The proxy plays each fault of a network on running and new connections, and takes it back."""

import socket
import threading
import time
from contextlib import ExitStack

import pytest

from tests.nodes.peers import peer
from tests.nodes.ports import free_port, is_free
from tests.nodes.proxy import Proxy
from tests.nodes.waiting import wait_until

_PATIENCE = 20  # seconds: a failure, not a pause
_SILENCE = 0.3  # seconds in which nothing may come; without the fault it comes in a millisecond


def _echoes(this, connection):
    try:
        while chunk := connection.recv(65_536):
            this.heard.append(chunk.decode())
            connection.sendall(chunk)
        this.heard.append("END")
    except ConnectionResetError:
        this.heard.append("RESET")


@pytest.fixture
def server():
    with peer(_echoes) as this:
        yield this


@pytest.fixture
def proxy(server):
    with Proxy(("127.0.0.1", server.port)) as made:
        yield made


@pytest.fixture
def dial(proxy):
    with ExitStack() as stack:
        yield lambda: stack.enter_context(_connected(proxy.port))


def _connected(port):
    return socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE)


def _asks(client, text="ping"):
    client.sendall(text.encode())
    return _hears(client, len(text))


def _hears(client, count):
    heard = b""
    while len(heard) < count and (chunk := client.recv(65_536)):
        heard += chunk
    return heard.decode()


def _is_silent(client):
    client.settimeout(_SILENCE)
    try:
        client.recv(1)
    except TimeoutError:
        return True
    else:
        return False
    finally:
        client.settimeout(_PATIENCE)


def _is_reset(client):
    """Whether its connection ends by a reset; False for an orderly end."""
    try:
        while client.recv(1):
            pass
    except ConnectionResetError:
        return True
    return False


def _is_turned_away(port):
    """Whether a new connection is reset, while it is made or as soon as it is read from."""
    try:
        with _connected(port) as client:
            return _is_reset(client)
    except ConnectionResetError:
        return True


def test_a_healthy_proxy_passes_bytes_and_ends_both_ways(proxy, server, dial):
    """Much data comes through whole, and an end is passed on: the server's answers come before theirs."""
    client = dial()
    sent = "x" * 3_000_000
    sender = threading.Thread(target=lambda: (client.sendall(sent.encode()), client.shutdown(socket.SHUT_WR)))
    sender.start()
    assert _hears(client, len(sent)) == sent
    assert client.recv(1) == b""
    sender.join()
    wait_until(lambda: proxy.connections == 0, _PATIENCE, "the connection to be counted out")
    assert proxy.total == 1


def test_many_connections_at_once(proxy, dial):
    """A hundred connections live side by side, and one cut ends them all."""
    clients = [dial() for _ in range(100)]
    for number, client in enumerate(clients):
        assert _asks(client, f"{number:03}") == f"{number:03}"
    assert (proxy.connections, proxy.total) == (100, 100)
    proxy.cut()
    assert proxy.connections == 0
    for client in clients:
        assert _is_reset(client)


def test_a_cut_resets_both_sides_and_lets_new_ones_pass(proxy, server, dial):
    """A reset, not an end: neither side can take it for the other's orderly close."""
    client = dial()
    assert _asks(client) == "ping"
    proxy.cut()
    assert _is_reset(client)
    wait_until(lambda: server.heard == ["ping", "RESET"], _PATIENCE, "the server to be reset")
    assert _asks(dial()) == "ping"


def test_a_target_that_is_down_resets_its_client():
    """The port stays the proxy's while the server behind it is away."""
    with Proxy(f"127.0.0.1:{free_port()}") as proxy:
        assert _is_turned_away(proxy.port)
        wait_until(lambda: proxy.connections == 0, _PATIENCE, "the connection to be counted out")


def test_refusing_resets_new_connections_only(proxy, dial):
    """Running connections go on; once healed, new ones pass again."""
    running = dial()
    assert _asks(running) == "ping"
    proxy.refuse()
    assert _is_turned_away(proxy.port)
    assert _asks(running) == "ping"
    proxy.heal()
    assert _asks(dial()) == "ping"


@pytest.mark.parametrize("resume", [False, True], ids=["given-up", "resumed"])
def test_a_black_hole_swallows_everything(proxy, server, dial, resume):
    """Nothing gets through, not even an end; afterwards connections are reset or go on where they were."""
    running = dial()
    assert _asks(running, "first") == "first"
    proxy.black_hole(resume=resume)
    new = dial()
    for client in (running, new):
        client.sendall(b"lost?")
        assert _is_silent(client)
    assert server.heard == ["first"]
    assert len(server.connections) == 1
    proxy.heal()
    if resume:
        assert _hears(running, 5) == "lost?"
        assert _hears(new, 5) == "lost?"
    else:
        assert _is_reset(running)
        assert _is_reset(new)
        wait_until(lambda: server.heard == ["first", "RESET"], _PATIENCE, "the server to be reset")
    assert _asks(dial()) == "ping"


def test_the_end_of_a_client_does_not_leave_a_black_hole(proxy, server, dial):
    """A server behind a black hole goes on believing in a client that is gone."""
    client = dial()
    assert _asks(client) == "ping"
    proxy.black_hole()
    client.close()
    server.connections[0].settimeout(_SILENCE)
    with pytest.raises(TimeoutError):
        server.connections[0].recv(1, socket.MSG_PEEK)


def test_a_delay_keeps_the_order_and_ends_with_heal(proxy, dial):
    """Each chunk comes later by so much, both ways; what is under way comes at once when healed."""
    client = dial()
    assert _asks(client) == "ping"
    proxy.delay(0.2)
    began = time.monotonic()
    assert _asks(client, "a") == "a"
    assert time.monotonic() - began >= 0.4
    proxy.delay(600)
    for letter in ("b", "c", "d"):
        client.sendall(letter.encode())
    assert _is_silent(client)
    proxy.heal()
    assert _hears(client, 3) == "bcd"


def test_a_trickle_lets_so_many_bytes_a_second_through(proxy, dial):
    """Slow, but nothing is missing; the rest comes at once when healed."""
    client = dial()
    proxy.trickle(100)
    began = time.monotonic()
    client.sendall(b"x" * 60)
    assert _hears(client, 60) == "x" * 60
    assert time.monotonic() - began >= 0.4
    client.sendall(b"y" * 100_000)
    proxy.heal()
    assert _hears(client, 100_000) == "y" * 100_000


def test_a_half_closed_connection_carries_questions_only(proxy, server, dial):
    """The client sees an end of the answers, and what it says still reaches the server."""
    client = dial()
    assert _asks(client, "before") == "before"
    proxy.half_close()
    assert client.recv(1) == b""
    client.sendall(b"after")
    wait_until(lambda: server.heard == ["before", "after"], _PATIENCE, "what was said after the end")
    assert proxy.connections == 1
    assert _asks(dial()) == "ping"


def test_it_leaves_nothing_behind(server):
    """After the end: no thread, no listener, and whoever was connected is reset."""
    with Proxy(("127.0.0.1", server.port)) as proxy:
        client = _connected(proxy.port)
        assert _asks(client) == "ping"
    with client:
        assert _is_reset(client)
    assert is_free(proxy.port)
    assert "proxy" not in [thread.name for thread in threading.enumerate()]
