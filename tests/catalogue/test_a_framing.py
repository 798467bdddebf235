"""Section A of the catalogue: HTTP framing, on raw sockets.

What takes time or several connections stands in tests/acceptance/http/test_framing.py.
"""

import gzip

import pytest

from tests.catalogue.kit import (
    BATCH,
    CANARY,
    KEY,
    SEND,
    Case,
    check,
    chunked,
    email,
    get,
    piece,
    post,
    raw,
    request,
    table,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEAD = (f"Authorization: Bearer {KEY}", "Content-Type: application/json", f"X-Note: {CANARY}")
POST = f"POST {SEND} HTTP/1.1"


def refused(name, sent, **more):
    return Case(name, sent, **({"status": 400, "code": "bad_request"} | more))


def large(name, sent):
    return Case(name, sent, status=431, code="headers_too_large")


def wrong_method(name, method, path, allow):
    sent = request(method, path)
    return Case(name, sent, status=405, code="method_not_allowed", headers={"Allow": allow})


def unknown(path):
    return Case(f"A16 {path}", get(path), status=404, code="not_found")


def packed(name, coding, body=b"{}"):
    sent = post(body, SEND, f"Content-Encoding: {coding}")
    return Case(
        name,
        sent,
        status=415,
        code="unsupported_content_encoding",
        detail="the Content-Encoding must be gzip",
    )


CASES = [
    refused("A01 length and chunks", raw(POST, *HEAD, "Content-Length: 5", "Transfer-Encoding: chunked", body=b"0\r\n\r\n")),
    refused("A01 chunks and length", raw(POST, *HEAD, "Transfer-Encoding: chunked", "Content-Length: 5", body=b"0\r\n\r\n")),
    refused("A02 two lengths", raw(POST, *HEAD, "Content-Length: 5", "Content-Length: 6", body=CANARY.encode())),
    refused("A02 the same length twice", raw(POST, *HEAD, "Content-Length: 2", "Content-Length: 2", body=b"{}")),
    refused("A03 negative length", raw(POST, *HEAD, "Content-Length: -3", body=CANARY.encode())),
    refused("A03 signed length", raw(POST, *HEAD, "Content-Length: +3", body=CANARY.encode())),
    refused("A04 chunk size in words", chunked(b"zz\r\n{}\r\n0\r\n\r\n")),
    refused("A04 negative chunk size", chunked(b"-2\r\n{}\r\n0\r\n\r\n")),
    refused("A04 chunk size with 0x", chunked(b"0x2\r\n{}\r\n0\r\n\r\n")),
    refused("A04 chunk size beyond 64 bits", chunked(b"f" * 20 + b"\r\n{}\r\n0\r\n\r\n")),
    refused("A04 chunk longer than it says", chunked(b"1\r\n{}\r\n0\r\n\r\n")),
    refused("A05 bare LF", f"GET /{CANARY} HTTP/1.1\nHost: x\n\n".encode()),
    refused("A06 no Host", raw("GET /livez HTTP/1.1", f"X-Note: {CANARY}", host=False)),
    refused("A07 TLS on the plain port", bytes.fromhex("160301020001000001fc0303") + CANARY.encode() * 20),
    large("A08 a header line of 9 KB", get("/livez", f"X-Note: {CANARY}{'a' * 9000}")),
    large("A08 a path of 9 KB", get(f"/{CANARY}{'a' * 9000}")),
    large("A09 300 headers", get("/livez", *(f"X-{CANARY}-{n}: 1" for n in range(300)))),
    Case("A12 a body of 1 MB", post(email(content={"subject": "s", "text": "x" * 1_000_000})), status=413, code="body_too_large"),
    Case("A12 a body of one byte too many", post(b" " * (256 * 1024 + 1)), status=413, code="body_too_large"),
    Case("A12 the largest body is read", post(b" " * (256 * 1024)), status=400, code="invalid_json"),
    Case("A12 a batch of 5.3 MB", post(b" " * 5_300_000, BATCH), status=413, code="body_too_large"),
    Case("A12 chunks beyond the limit", chunked(piece(b" " * 40_000) * 7 + b"0\r\n\r\n"), status=413, code="body_too_large"),
    Case(
        "A13 48 KB that unpack to 50 MB",
        post(gzip.compress(b" " * 50_000_000, mtime=0), SEND, "Content-Encoding: gzip"),
        status=413,
        code="body_too_large",
    ),
    *(packed(f"A14 {coding}", coding) for coding in ("br", "zstd", "rot13", "compress", "gzip, gzip", "exi")),
    wrong_method("A15 GET on batch", "GET", BATCH, "POST"),
    wrong_method("A15 GET on search", "GET", "/v1/notifications/search", "POST"),
    wrong_method("A15 DELETE on the list", "DELETE", SEND, "GET, HEAD, POST"),
    wrong_method("A15 POST on livez", "POST", "/livez", "GET, HEAD"),
    wrong_method("A15 OPTIONS", "OPTIONS", SEND, "GET, HEAD, POST"),
    wrong_method("A15 OPTIONS on nothing that is", "PUT", f"/{CANARY}", "GET, HEAD, POST"),
    *(unknown(path) for path in (
        f"/{CANARY}", "/v1", "/v1/", "/v1/notifications/", "/v1/templates/x", "/v1/batches/bat_1", "/v1/dev/messages",
        "/v1/webhooks", "/v1/events", "/v1/keys",
        "/v1/operations/x", "/metrics", "/docs/", "/console/", "/.env", "/wp-login.php",
    )),
    wrong_method("A17 PUT", "PUT", SEND, "GET, HEAD, POST"),
    wrong_method("A17 PUT nowhere", "PUT", "/nowhere", "GET, HEAD, POST"),
    wrong_method("A17 TRACE", "TRACE", "/livez", "GET, HEAD"),
    wrong_method("A17 TRACE nowhere", "TRACE", "/nowhere", "GET, HEAD, POST"),
    Case("A17 CONNECT", raw("CONNECT example.com:443 HTTP/1.1", "Connection: close"), status=405, code="method_not_allowed"),
]  # fmt: skip


@pytest.mark.parametrize(**table(CASES))
async def test_section_a(door, case):
    """Refused plainly: nothing repeated, no banner, nothing kept."""
    await check(door, case)
