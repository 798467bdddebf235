"""HTTP framing over time and over several connections; single requests stand in tests/catalogue."""

import asyncio
import dataclasses
import json
import socket
import struct

import pytest
import structlog

from tests.acceptance.http.conftest import CONFIG
from tests.acceptance.http.test_sending import body

HEAD = b"POST /v1/notifications HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture
def config():
    """Deadlines short enough to wait for."""
    return dataclasses.replace(CONFIG, header_deadline=1.5, body_deadline=1.5, connections=20)


def parts(answer):
    """Status, headers (lower case) and JSON body of a raw answer."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return int(lines[0].split()[1]), headers, json.loads(rest) if rest else None


def authorized(door, headers=b""):
    return HEAD + b"Authorization: Bearer " + door.key.encode() + b"\r\n" + headers


async def test_headers_that_never_end_close_the_connection(door):
    """Nothing sent, or headers begun and never finished: closed at the deadline, even when bytes trickle."""
    assert await door.raw(b"") == b""
    assert await door.raw(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ") == b""


async def test_headers_begun_after_an_answer_have_the_same_deadline(door):
    """A kept connection that begins a second request and never ends it is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    writer.write(b"GET /livez HTTP/1.1\r\nHo")
    async with asyncio.timeout(5):
        rest = await reader.read()
    assert b"HTTP/1.1" not in rest
    writer.close()


@pytest.mark.parametrize(
    ("path", "length"), [(b"", b"16000000"), (b"/batch", b"6000000"), (b"/search", b"300000")]
)
async def test_a_length_above_the_limit_is_413_before_any_body(door, path, length):
    """The answer comes at once from Content-Length, by the route's limit; not a byte of the body is waited for."""
    sent = authorized(door, b"Content-Length: " + length + b"\r\n\r\n")
    sent = sent.replace(b"/v1/notifications ", b"/v1/notifications" + path + b" ")
    async with asyncio.timeout(3):
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(sent)
        head = await reader.readuntil(b"\r\n\r\n")
        writer.close()
    assert b" 413 " in head
    assert b"Connection: close" in head


async def test_a_body_that_stops_is_408(door):
    """A body that is not whole by the deadline: 408, closed, nothing kept."""
    status, headers, problem = parts(await door.raw(authorized(door, b"Content-Length: 100\r\n\r\n{")))
    assert (status, problem["code"], headers["connection"]) == (408, "request_timeout", "close")
    assert door.rows() == 0


async def test_every_answer_has_its_headers_and_no_banner(door):
    """On 2xx, 4xx and health alike."""
    for method, path in (("GET", "/livez"), ("GET", "/nowhere"), ("PUT", "/"), ("GET", "/v1/notifications")):
        headers = (await door.ask(method, path)).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Request-Id"]
        assert "Server" not in headers


async def test_an_expected_100_is_given(door):
    """`Expect: 100-continue` is answered before the body is sent."""
    sent = body()
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(authorized(door, b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(sent)))
    async with asyncio.timeout(5):
        assert b" 100 " in await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        assert b" 202 " in await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def test_an_offered_upgrade_is_declined(door):
    """The request is served as if nothing had been offered."""
    head = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert b" 200 " in (await door.raw(head + b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))


class TestWithFewConnections:
    """A bound on connections that nothing else would close."""

    @pytest.fixture
    def config(self):
        return dataclasses.replace(CONFIG, header_deadline=60.0, connections=20)

    async def test_past_the_limit_the_longest_idle_connection_is_closed(self, door):
        """60 connections where 20 may be: the oldest are closed, the newest live, health still answers."""
        idle = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(60)]
        for reader, _ in idle[:40]:
            assert await asyncio.wait_for(_end_of(reader), 5) == b""
        answer = await door.raw(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert parts(answer)[0] == 200
        reader, writer = idle[-1]
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)
        for _, writer in idle:
            writer.close()


async def _end_of(reader):
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


async def test_a_caller_that_goes_away_harms_nobody(door):
    """A reset in the middle of a body: no row, no error in the log, and the next request is served."""
    with structlog.testing.capture_logs() as logs:
        _, writer = await asyncio.open_connection("127.0.0.1", door.port)
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.write(authorized(door, b"Content-Length: 100\r\n\r\n{"))
        await writer.drain()
        await door.ask("GET", "/v1/notifications")
        writer.transport.abort()

        async def noticed():
            while not [
                line for line in logs if line.get("route") == "/v1/notifications" and line["status"] == 400
            ]:
                await door.ask("GET", "/livez")

        await asyncio.wait_for(noticed(), 5)
    assert {line["log_level"] for line in logs} <= {"info", "warning"}
    assert door.rows() == 0
