"""Section A of the catalogue of bad input: HTTP framing, on raw sockets."""

import asyncio
import dataclasses
import gzip
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


BROKEN = {
    "CL and TE together": HEAD
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\nMARKER: 1\r\n\r\n0\r\n\r\n",
    "two Content-Lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nMARKER",
    "negative Content-Length": HEAD + b"Content-Length: -3\r\n\r\nMARKER",
    "signed Content-Length": HEAD + b"Content-Length: +3\r\n\r\nMARKER",
    "bare LF": b"GET /MARKER HTTP/1.1\nHost: x\n\n",
    "no Host": b"GET /livez HTTP/1.1\r\nX-MARKER: 1\r\n\r\n",
    "TLS on the plain port": bytes.fromhex("160301020001000001fc0303") + b"MARKER" * 20,
    "nonsense": b"MARKER MARKER MARKER\r\n\r\n",
    "bad header name": b"GET /livez HTTP/1.1\r\nHost: x\r\nMARKER MARKER\r\n\r\n",
}
LARGE = {
    "a line of 9 KB": b"GET /livez HTTP/1.1\r\nHost: x\r\nX-MARKER: " + b"a" * 9000 + b"\r\n\r\n",
    "a path of 9 KB": b"GET /MARKER" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "300 headers": b"GET /livez HTTP/1.1\r\nHost: x\r\n"
    + b"".join(b"X-MARKER-%d: 1\r\n" % n for n in range(300))
    + b"\r\n",
}


@pytest.mark.parametrize("sent", BROKEN.values(), ids=BROKEN)
async def test_broken_framing_is_a_plain_400(door, sent):
    """400 as a problem that repeats nothing of the request, names no server, and closes."""
    answer = await door.raw(sent)
    status, headers, problem = parts(answer)
    assert (status, problem["code"]) == (400, "bad_request")
    assert headers["content-type"].startswith("application/problem+json")
    assert "server" not in headers
    assert {"x-request-id", "cache-control", "x-content-type-options"} <= set(headers)
    assert b"MARKER" not in answer


@pytest.mark.parametrize("sent", LARGE.values(), ids=LARGE)
async def test_headers_beyond_the_limits_are_431(door, sent):
    """431 and nothing of them repeated."""
    answer = await door.raw(sent)
    status, _, problem = parts(answer)
    assert (status, problem["code"]) == (431, "headers_too_large")
    assert b"MARKER" not in answer


def authorized(door, headers=b""):
    return HEAD + b"Authorization: Bearer " + door.key.encode() + b"\r\n" + headers


async def test_a_bad_chunk_size_is_400(door):
    """A chunked body that is not: 400, nothing kept."""
    sent = authorized(door, b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n")
    assert parts(await door.raw(sent))[0] == 400
    assert door.rows() == 0


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


async def test_a_length_above_the_limit_is_413_before_any_body(door):
    """The answer comes at once from Content-Length; not a byte of the body is waited for."""
    sent = authorized(door, b"Content-Length: 300000\r\n\r\n")
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


async def test_a_chunked_body_is_bounded_too(door):
    """Without a Content-Length reading stops at the limit: 413."""

    async def endless():
        for _ in range(10):
            yield b" " * 40_000

    answer = await door.post(endless())
    assert (answer.status, answer.json()["code"]) == (413, "body_too_large")


async def test_a_packed_bomb_is_413(door):
    """48 KB that unpack to 50 MB take no more memory than the limit."""
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < 60_000
    answer = await door.post(bomb, headers={"Content-Encoding": "gzip"})
    assert (answer.status, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("coding", ["br", "zstd", "rot13", "gzip, gzip", "compress"])
async def test_an_unknown_content_encoding_is_415(door, coding):
    """Never taken raw."""
    answer = await door.post(b"{}", headers={"Content-Encoding": coding})
    assert (answer.status, answer.json()["code"]) == (415, "unsupported_content_encoding")
    assert "gzip" in answer.headers["Accept-Encoding"]


@pytest.mark.parametrize(
    "packed", [b"not gzip", gzip.compress(b"{}", mtime=0)[:-4], gzip.compress(b"{}", mtime=0) + b"x"]
)
async def test_a_body_not_packed_as_it_says_is_400(door, packed):
    """Broken, cut short, or followed by something else."""
    answer = await door.post(packed, headers={"Content-Encoding": "gzip"})
    assert (answer.status, answer.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/notifications/batch", "POST"),
        ("GET", "/v1/notifications/search", "POST"),
        ("DELETE", "/v1/notifications", "GET, HEAD, POST"),
        ("POST", "/livez", "GET, HEAD"),
        ("OPTIONS", "/v1/notifications", "GET, HEAD, POST"),
        ("PUT", "/v1/notifications", "GET, HEAD, POST"),
        ("TRACE", "/livez", "GET, HEAD"),
        ("PUT", "/nowhere", "GET, HEAD, POST"),
        ("TRACE", "/nowhere", "GET, HEAD, POST"),
    ],
)
async def test_a_wrong_method_is_405_and_says_which_are_right(door, method, path, allow):
    """405 with Allow; PUT and TRACE on anything."""
    answer = await door.ask(method, path)
    assert (answer.status, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == allow


async def test_connect_is_refused(door):
    """The door is no proxy."""
    answer = await door.raw(
        b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"
    )
    assert parts(answer)[0] == 405


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/v1",
        "/v1/",
        "/v1/notifications/",
        "/v1/templates/x",
        "/v1/batches/bat_1",
        "/v1/dev/messages",
    ],
)
async def test_an_unknown_path_is_404(door, path):
    """A problem like every other error."""
    answer = await door.ask("GET", path)
    assert (answer.status, answer.json()["code"]) == (404, "not_found")


async def test_every_answer_has_its_headers_and_no_banner(door):
    """On 2xx, 4xx and health alike."""
    for method, path in (("GET", "/livez"), ("GET", "/nowhere"), ("PUT", "/"), ("GET", "/v1/notifications")):
        headers = (await door.ask(method, path)).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Request-Id"]
        assert "Server" not in headers


async def test_an_unknown_expectation_is_refused_plainly(door):
    """aiohttp's own 417 repeats the header and never meets a middleware; ours is a problem."""
    answer = await door.raw(authorized(door, b"Expect: MARKER\r\nContent-Length: 2\r\n\r\n{}"))
    status, headers, problem = parts(answer)
    assert (status, problem["code"]) == (400, "bad_request")
    assert b"MARKER" not in answer
    assert "server" not in headers


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
