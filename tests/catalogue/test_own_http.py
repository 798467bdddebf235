"""Cases of our own beside the catalogue's: what an attacker or a confused client does with HTTP."""

import gzip
import json
import re
import zlib

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
    parts,
    piece,
    post,
    raw,
    request,
    table,
    talk,
)  # fmt: skip

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOOD = json.dumps(email()).encode()
AUTH, TYPE, CLOSE = f"Authorization: Bearer {KEY}", "Content-Type: application/json", "Connection: close"
POST = f"POST {SEND} HTTP/1.1"
WHOLE = piece(GOOD) + b"0\r\n\r\n"


def refused(name, sent, status=400, code="bad_request", **more):
    return Case(name, sent, status=status, code=code, **more)


def lines(name, *given, line="GET /livez HTTP/1.1", **more):
    return refused(name, raw(line, CLOSE, *given), **more)


def fine(name, sent, status=200, **more):
    return Case(name, sent, status=status, **more)


def length(name, text):
    return refused(name, raw(POST, AUTH, TYPE, CLOSE, b"Content-Length:" + text, body=GOOD))


def missing(name, path):
    return Case(name, get(path), status=404, code="not_found")


def parameter(name, query, pointer, code):
    return Case(name, get(f"{SEND}?{query}"), wrong={pointer: code})


def packed(name, coding, body, status=400, code="bad_request"):
    return Case(name, post(body, SEND, f"Content-Encoding: {coding}"), status=status, code=code)


def typed(name, text, status=415):
    return Case(
        name,
        request("POST", SEND, GOOD, f"Content-Type: {text}"),
        status=status,
        code="unsupported_media_type",
    )


def no_key(name, *given, path=SEND):
    return Case(name, raw(f"GET {path} HTTP/1.1", CLOSE, *given), status=401, code="unauthorized")


OWN = [
    # The request line.
    refused("OWN-01 HTTP/2.0 on a plain connection", raw("GET /livez HTTP/2.0", CLOSE)),
    refused("OWN-02 the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    refused("OWN-03 HTTP/0.9", b"GET /livez\r\n\r\n"),
    refused("OWN-04 HTTP/1.2", raw("GET /livez HTTP/1.2", CLOSE)),
    refused("OWN-05 the version in small letters", raw("GET /livez http/1.1", CLOSE)),
    refused("OWN-06 the method in small letters", raw("get /livez HTTP/1.1", CLOSE)),
    refused("OWN-07 a method nobody knows", raw("BREW /livez HTTP/1.1", CLOSE)),
    refused("OWN-08 a method of 300 letters", raw("A" * 300 + " /livez HTTP/1.1", CLOSE)),
    refused("OWN-09 a target without its slash", get("livez")),
    refused("OWN-10 a target that is an authority", get("example.com:443")),
    refused("OWN-11 a target of backslashes", get("\\livez")),
    refused("OWN-12 a blank in the target", get(f"/{CANARY} x")),
    refused("OWN-13 tabs in the request line", raw("GET\t/livez\tHTTP/1.1", CLOSE)),
    refused("OWN-14 raw UTF-8 in the path", raw("GET /v1/notifications/ntf_é HTTP/1.1", AUTH, CLOSE)),
    fine("OWN-15 a target in absolute form leads here", get("http://evil.example/livez")),
    fine("OWN-16 an absolute target with user and password", get(f"http://{CANARY}:pw@evil.example/livez")),
    Case("OWN-17 OPTIONS of the asterisk", raw("OPTIONS * HTTP/1.1", CLOSE), status=404, code="not_found"),
    missing("OWN-18 two slashes before a host", "//evil.example/livez"),
    missing("OWN-19 dots in the path", "/v1/../livez"),
    missing("OWN-20 encoded dots in the path", "/v1/%2e%2e/livez"),
    missing("OWN-21 an encoded slash", "/v1%2fnotifications"),
    fine("OWN-22 an encoded letter is that letter", get("/v1/%6eotifications?limit=1")),
    missing("OWN-23 an id of bad percents", "/v1/notifications/ntf_%zz%"),
    missing("OWN-24 an id with NUL", "/v1/notifications/ntf_%00"),
    missing("OWN-25 an id with an encoded line end", "/v1/notifications/ntf_%0d%0aX-A:b"),
    missing("OWN-26 an id that is no UTF-8", "/v1/notifications/ntf_%c0%af%ff"),
    missing("OWN-27 an id encoded twice", "/v1/notifications/ntf_%2500"),
    missing("OWN-28 a parameter of the path", "/livez;jsessionid=1"),
    # The query.
    parameter("OWN-29 a query of 7 KB", f"reference={'a' * 7000}", "?reference", "length"),
    refused("OWN-30 a query of 9 KB", get(f"{SEND}?reference={CANARY}{'a' * 9000}"), 431, "headers_too_large"),
    parameter("OWN-31 a filter that is no UTF-8", "reference=%ff", "?reference", "invalid_text"),
    parameter("OWN-32 a filter with a surrogate in UTF-8", "tag=%ed%a0%80", "?tag", "invalid_text"),
    parameter("OWN-33 a semicolon between parameters", "limit=1;status=sent", "?limit", "out_of_range"),
    parameter("OWN-34 a parameter without a name", "=1", "?", "unknown_parameter"),
    parameter("OWN-35 a parameter as a list", "status[]=sent", "?status[]", "unknown_parameter"),
    parameter("OWN-36 a parameter in capitals", "Limit=1", "?Limit", "unknown_parameter"),
    parameter("OWN-37 the same parameter with the same value", "limit=1&limit=1", "?limit", "repeated"),
    parameter("OWN-38 a name of a parameter that is long", "n" * 100 + "=1", f"?{'n' * 62}…", "unknown_parameter"),
    fine("OWN-39 nothing but separators", get(f"{SEND}?&&&")),
    Case("OWN-40 a query on the document", get("/openapi.json?x=1"), wrong={"?x": "unknown_parameter"}),
    Case("OWN-41 a query on cancel", request("POST", f"{SEND}/ntf_x/cancel?force=true"), wrong={"?force": "unknown_parameter"}),
    # Headers.
    lines("OWN-42 two Hosts", "Host: y"),
    refused("OWN-43 a Host with a path", raw("GET /livez HTTP/1.1", "Host: x/../y", CLOSE, host=False)),
    refused("OWN-44 a Host with markup", raw("GET /livez HTTP/1.1", f"Host: <{CANARY}>", CLOSE, host=False)),
    refused("OWN-45 a Host with a user", raw("GET /livez HTTP/1.1", f"Host: {CANARY}@x", CLOSE, host=False)),
    fine("OWN-46 a Host with a port in brackets", raw("GET /livez HTTP/1.1", "Host: [::1]:8080", CLOSE, host=False)),
    lines("OWN-47 a folded header", "X-A: b", f" {CANARY}"),
    lines("OWN-48 a NUL in a header", b"X-A: b\x00c"),
    lines("OWN-49 a CR in a header", b"X-A: b\rX-B: c"),
    lines("OWN-50 a blank before the colon", "X-A : b"),
    lines("OWN-51 a header without a name", ": b"),
    lines("OWN-52 a header without a colon", CANARY),
    Case("OWN-53 two Idempotency-Keys", post(email(), SEND, "Idempotency-Key: a", "Idempotency-Key: b"), status=400, code="invalid_header"),
    Case("OWN-54 one Idempotency-Key twice", post(email(), SEND, "Idempotency-Key: a", "idempotency-key: a"), status=400, code="invalid_header"),
    no_key("OWN-55 two Authorizations", AUTH, AUTH),
    no_key("OWN-56 a tab behind the scheme", f"Authorization: Bearer\t{KEY}"),
    no_key("OWN-57 a key in a cookie", f"Cookie: Authorization=Bearer {KEY}", f"X-Api-Key: {KEY}"),
    no_key("OWN-58 a key in the query", path=f"{SEND}?access_token={KEY}"),
    no_key("OWN-59 a key for the proxy", f"Proxy-Authorization: Bearer {KEY}"),
    refused("OWN-60 two Content-Types", request("POST", SEND, GOOD, TYPE, "Content-Type: text/plain")),
    typed("OWN-61 two types in one header", "application/json, text/plain"),
    typed("OWN-62 a type that ends on +json", "application/vnd.api+json"),
    typed("OWN-63 the type with UTF-16", "application/json; charset=utf-16"),
    Case("OWN-64 the type in capitals with a quoted charset", request("POST", SEND, GOOD, 'Content-Type: APPLICATION/JSON; Charset="UTF-8"'), status=202),
    fine("OWN-65 a method to override", get("/livez", "X-HTTP-Method-Override: DELETE")),
    fine("OWN-66 an offer of HTTP/2", raw("GET /livez HTTP/1.1", "Connection: Upgrade, HTTP2-Settings, close", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")),
    fine("OWN-67 preconditions that nothing can have", get("/openapi.json", "If-None-Match: *", "If-Modified-Since: Sat, 01 Jan 2050 00:00:00 GMT")),
    fine("OWN-68 a range of an answer", get("/openapi.json", "Range: bytes=0-10")),
    fine("OWN-69 an Accept that nothing meets", get("/livez", "Accept: application/xml;q=1")),
    fine("OWN-70 two forged request ids", get("/livez", f"X-Request-Id: {CANARY} 1", "X-Request-Id: b")),
    # The body's framing.
    length("OWN-71 a length of two numbers", b" 5, 5"),
    length("OWN-72 a length with an underscore", b" 1_0"),
    length("OWN-73 a length in hexadecimal", b" 0x10"),
    length("OWN-74 an empty length", b""),
    length("OWN-75 a length of 5,000 digits", b" " + b"9" * 5000),
    length("OWN-76 a length in Arabic digits", " ١٢".encode()),
    length("OWN-77 a length that ends before the body", b" 10"),
    *(refused(name, raw(POST, AUTH, TYPE, CLOSE, coding, body=WHOLE)) for name, coding in {
        "OWN-78 Transfer-Encoding identity": "Transfer-Encoding: identity",
        "OWN-79 Transfer-Encoding gzip, chunked": "Transfer-Encoding: gzip, chunked",
        "OWN-80 Transfer-Encoding chunked, chunked": "Transfer-Encoding: chunked, chunked",
        "OWN-81 Transfer-Encoding xchunked": "Transfer-Encoding: xchunked",
        "OWN-82 Transfer-Encoding with a blank before its colon": "Transfer-Encoding : chunked",
        "OWN-83 Transfer-Encoding behind a vertical tab": "Transfer-Encoding: \x0bchunked",
    }.items()),
    refused("OWN-84 Transfer-Encoding twice", chunked(WHOLE, "Transfer-Encoding: chunked")),
    refused("OWN-85 chunks in HTTP/1.0", raw(f"POST {SEND} HTTP/1.0", AUTH, TYPE, "Transfer-Encoding: chunked", body=WHOLE)),
    refused("OWN-86 chunks that end on bare LFs", chunked(b"%x\n%b\n0\n\n" % (len(GOOD), GOOD))),
    refused("OWN-87 a bare LF in a chunk's extension", chunked(piece(GOOD, b";a\nb") + b"0\r\n\r\n")),
    refused("OWN-88 a trailer that is no header", chunked(piece(GOOD) + b"0\r\nno trailer\r\n\r\n")),
    refused("OWN-89 2,000 trailers", chunked(piece(GOOD) + b"0\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(2000)) + b"\r\n"), 431, "headers_too_large"),
    fine("OWN-90 a chunk's extension is nothing to us", chunked(piece(GOOD, b";name=value") + b"0\r\n\r\n"), 202),
    fine("OWN-91 a body of one byte a chunk", chunked(b"".join(piece(GOOD[n : n + 1]) for n in range(len(GOOD))) + b"0\r\n\r\n"), 202),
    fine("OWN-92 a GET with a body", raw(f"GET {SEND} HTTP/1.1", AUTH, CLOSE, "Content-Length: 5", body=b"hello")),
    refused("OWN-93 an unknown expectation", post(email(), SEND, f"Expect: {CANARY}")),
    refused("OWN-94 two expectations", post(email(), SEND, "Expect: 100-continue, x")),
    fine("OWN-95 an expectation in HTTP/1.0", raw(f"POST {SEND} HTTP/1.0", AUTH, TYPE, "Expect: 100-continue", f"Content-Length: {len(GOOD)}", body=GOOD), 202),
    # The body's packing.
    packed("OWN-96 gzip cut short", "gzip", gzip.compress(GOOD, mtime=0)[:-10]),
    packed("OWN-97 gzip without its last bytes", "gzip", gzip.compress(GOOD, mtime=0)[:-1]),
    packed("OWN-98 two gzips in a row", "gzip", gzip.compress(GOOD[:10], mtime=0) + gzip.compress(GOOD[10:], mtime=0)),
    packed("OWN-99 gzip with something behind it", "gzip", gzip.compress(GOOD, mtime=0) + b"x"),
    packed("OWN-100 gzip with a wrong checksum", "gzip", gzip.compress(GOOD, mtime=0)[:-8] + b"\0" * 8),
    packed("OWN-101 no gzip at all", "gzip", GOOD),
    packed("OWN-102 nothing packed", "gzip", b""),
    packed("OWN-103 raw deflate without zlib's wrapper", "deflate", zlib.compress(GOOD)[2:-4]),
    packed("OWN-104 gzip named deflate", "deflate", gzip.compress(GOOD, mtime=0)),
    packed("OWN-105 gzip twice", "gzip", gzip.compress(gzip.compress(GOOD, mtime=0), mtime=0), 400, "invalid_json"),
    packed("OWN-106 an empty coding", "", GOOD, 415, "unsupported_content_encoding"),
    Case("OWN-107 two headers of coding", post(gzip.compress(GOOD, mtime=0), SEND, "Content-Encoding: gzip", "Content-Encoding: gzip"), status=415, code="unsupported_content_encoding"),
    Case("OWN-108 a packed cancel with a body", request("POST", f"{SEND}/ntf_x/cancel", gzip.compress(b'{"a": 1}', mtime=0), "Content-Encoding: gzip"), status=400, code="invalid_json"),
    # NDJSON.
    Case("OWN-109 NDJSON of nothing but line ends", post(b"\r\n\n \n", BATCH, "Content-Type: application/x-ndjson"), wrong={"": "out_of_range"}),
    Case("OWN-110 NDJSON of 1,001 lines", post(b"{}\n" * 1001, BATCH, "Content-Type: application/x-ndjson"), wrong={"": "out_of_range"}),
    Case("OWN-111 NDJSON that is a list", post(b"[" + GOOD + b"]", BATCH, "Content-Type: application/x-ndjson"), wrong={"/items/0": "invalid_type"}),
]  # fmt: skip


@pytest.mark.parametrize(**table(OWN))
async def test_own_http(door, case):
    """Refused plainly, or served as if the oddity were not there; never half of each."""
    await check(door, case)


async def test_pipelined_requests_are_answered_in_order(door):
    """OWN-112: three in one packet, the one in the middle wrong: three answers, in their order, two rows."""
    before = door.rows()
    one = post(email()).replace(b"Connection: close\r\n", b"")
    wrong = post(email(ttl=0)).replace(b"Connection: close\r\n", b"")
    came = await talk(door.port, one + wrong + post(email()))
    assert re.findall(rb"HTTP/1\.1 (\d+)", came) == [b"202", b"422", b"202"]
    assert door.rows() == before + 2


async def test_nothing_behind_a_broken_request_is_served(door):
    """OWN-113: what follows a faulty head may be anybody's bytes: the connection ends there, nothing is kept."""
    smuggled = post(email(reference="smuggled"))
    for faulty in (
        raw(POST, AUTH, TYPE, "Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
        raw(POST, AUTH, TYPE, "Content-Length: 5", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        raw("GET /livez HTTP/1.1", "Host: x y", host=False),
        raw(POST, AUTH, TYPE, "Content-Length: 16000000"),
    ):
        before = door.rows()
        came = await talk(door.port, faulty + smuggled)
        assert came.count(b"HTTP/1.") == 1
        assert parts(came).status in {400, 413}
        assert door.rows() == before


async def test_a_trailer_is_no_header(door):
    """OWN-114: an Idempotency-Key or Authorization behind the body means nothing."""
    trailer = piece(GOOD) + b"0\r\nIdempotency-Key: trailer\r\n\r\n"
    answers = [parts(await talk(door.port, chunked(trailer, "Trailer: Idempotency-Key"))) for _ in range(2)]
    assert [answer.status for answer in answers] == [202, 202]
    assert answers[0].json()["id"] != answers[1].json()["id"]
    late = raw(
        POST, TYPE, CLOSE, "Transfer-Encoding: chunked", body=piece(GOOD) + f"0\r\n{AUTH}\r\n\r\n".encode()
    )
    assert parts(await talk(door.port, late)).status == 401


async def test_a_head_has_no_body_and_is_no_less_strict(door):
    """OWN-115: HEAD answers with the headers of a GET and never with bytes behind them."""
    for path, status in (
        ("/livez", 200),
        (f"{SEND}?limit=1", 200),
        (f"{SEND}?limit=x", 422),
        ("/nowhere", 404),
    ):
        answer = parts(await talk(door.port, request("HEAD", path)))
        assert (answer.status, answer.body) == (status, b"")
        assert int(answer.headers["content-length"]) > 0


async def test_http_1_0_is_served_and_closed(door):
    """OWN-116: without a Host, without a word of keeping the connection."""
    came = await talk(door.port, b"GET /livez HTTP/1.0\r\n\r\n")
    assert came.startswith(b"HTTP/1.0 200 ")


async def test_ndjson_forgives_line_ends_and_nothing_else(door):
    """OWN-117: CRLF, blank lines and a missing last line end are fine; a mark or a broken line is that item's fault."""
    body = b"\r\n".join([GOOD, b"", b"\xef\xbb\xbf" + GOOD, b'{"channel": ', b"5", b"null", b"\xff", GOOD])
    answer = parts(await talk(door.port, post(body, BATCH, "Content-Type: application/x-ndjson")))
    assert answer.status == 202
    results = answer.json()["results"]
    assert [bool(result.get("id")) for result in results] == [True, False, False, False, False, False, True]
    codes = [result["error"]["code"] for result in results if "error" in result]
    assert codes == ["invalid_json", "invalid_json", "invalid_request", "invalid_request", "invalid_json"]
    assert CANARY.encode() not in answer.body
