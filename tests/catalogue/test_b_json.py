"""Section B of the catalogue: bytes that are no JSON, JSON that can't be kept, values of a wrong type."""

import json

import pytest

from tests.catalogue.kit import BATCH, SEND, Case, check, email, post, raw, request, table

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOOD = json.dumps(email()).encode()
OPEN = GOOD[:-1]


def no_json(name, body, path=SEND, detail=""):
    return Case(name, post(body, path), status=400, code="invalid_json", detail=detail)


def other_type(name, *headers):
    return Case(name, request("POST", SEND, GOOD, *headers), status=415, code="unsupported_media_type")


def wrong(name, value, **pointers):
    return Case(name, post(value), wrong={f"/{at}": code for at, code in pointers.items()})


CASES = [
    no_json("B01 empty", b"", detail="the body is empty"),
    no_json("B01 blanks", b" \r\n\t ", detail="the body is empty"),
    no_json("B02 a form", b"channel=email"),
    no_json("B02 XML", b"<?xml version='1.0'?><channel/>"),
    no_json("B02 single quotes", b"{'channel': 'email'}"),
    no_json("B02 a comment", OPEN + b"/* x */}"),
    no_json("B02 a trailing comma", OPEN + b",}"),
    no_json("B02 cut off", OPEN),
    no_json("B02 a raw newline in a text", GOOD.replace(b"123456", b"12\n3456")),
    no_json("B02 a raw NUL", GOOD.replace(b"123456", b"12\x003456")),
    no_json("B02 nested 500 deep", b'{"channel": ' + b"[" * 500 + b"]" * 500 + b"}"),
    no_json("B02 nested 50,000 deep", b'{"channel": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
    no_json("B02 objects nested 30,000 deep", b'{"a":' * 30_000 + b"1" + b"}" * 30_000),
    Case(
        "B03 no Content-Type",
        raw(f"POST {SEND} HTTP/1.1", "Connection: close", "Authorization: Bearer x", "Content-Length: 2", body=b"{}"),
        status=401,
        code="unauthorized",
    ),
    other_type("B03 an empty Content-Type", "Content-Type:"),
    other_type("B03 text/plain", "Content-Type: text/plain"),
    other_type("B03 a form's", "Content-Type: application/x-www-form-urlencoded"),
    other_type("B03 multipart", "Content-Type: multipart/form-data; boundary=x"),
    other_type("B03 latin-1", "Content-Type: application/json; charset=latin-1"),
    other_type("B03 NDJSON for one", "Content-Type: application/x-ndjson"),
    no_json("B04 byte-order mark", b"\xef\xbb\xbf" + GOOD, detail="the body must not begin with a byte-order mark"),
    no_json("B04 UTF-16 with a mark", GOOD.decode().encode("utf-16")),
    no_json("B04 UTF-32 without one", GOOD.decode().encode("utf-32-le")),
    no_json("B05 invalid UTF-8", GOOD.replace(b"123456", b"\xff\xfe")),
    no_json("B05 overlong", GOOD.replace(b"123456", b"\xc0\xaf")),
    no_json("B05 beyond Unicode", GOOD.replace(b"123456", b"\xf4\x90\x80\x80")),
    no_json("B06 NaN", OPEN + b', "ttl": NaN}'),
    no_json("B06 Infinity", OPEN + b', "ttl": -Infinity}'),
    no_json("B06 1e999", OPEN + b', "ttl": 1e999}', detail="a number is too large"),
    no_json("B07 a name twice", OPEN + b', "channel": "sms"}'),
    no_json("B07 a name twice inside", GOOD.replace(b'"subject"', b'"text": "x", "subject"')),
    no_json("B07 a name twice by an escape", OPEN + b', "ch\\u0061nnel": "sms"}'),
    no_json("B08 5,000 digits", OPEN + b', "ttl": ' + b"9" * 5000 + b"}"),
    no_json("B08 200,000 digits", OPEN + b', "ttl": ' + b"9" * 200_000 + b"}"),
    Case("B08 5,000 digits behind the point", post(OPEN + b', "ttl": 1.' + b"9" * 5000 + b"}"), wrong={"/ttl": "invalid_type"}),
    no_json("B08 an exponent of 5,000 digits", OPEN + b', "ttl": 1e' + b"9" * 5000 + b"}"),
    *(no_json(f"B09 {body.decode()}", body, detail="the body must be a JSON object") for body in (b"[]", b'"x"', b"1", b"null", b"true")),
    no_json("B09 a list of a good one", b"[" + GOOD + b"]"),
    no_json("B10 trailing garbage", GOOD + b" x"),
    no_json("B10 two documents", GOOD + GOOD),
    wrong("B11 true for a number", email(ttl=True), ttl="invalid_type"),
    wrong("B11 text for a number", email(ttl="60"), ttl="invalid_type"),
    wrong("B11 1.0 for an integer", email(ttl=1.0), ttl="invalid_type"),
    wrong("B11 a number for text", email(reference=5), reference="invalid_type"),
    wrong("B11 an object for text", email(reference={"a": 1}), reference="invalid_type"),
    wrong("B11 text for a list", email(tags="a,b"), tags="invalid_type"),
    wrong("B11 a list for an object", email(content=[1]), content="invalid_type"),
    no_json("B12 NUL in a value", GOOD.replace(b"123456", b"12\\u00003456"), detail="the character NUL"),
    no_json("B12 NUL in a name", OPEN + b', "metadata": {"a\\u0000": "b"}}'),
    no_json("B12 NUL in an unknown field", OPEN + b', "x": ["\\u0000"]}'),
    Case("B12 an escaped backslash before u0000 is no NUL", post(GOOD.replace(b"123456", b"\\\\u0000")), status=202),
    no_json("B13 lone surrogate", GOOD.replace(b"123456", b"\\ud800")),
    no_json("B13 lone low surrogate", GOOD.replace(b"123456", b"\\udc00x")),
    no_json("B13 surrogates the wrong way round", GOOD.replace(b"123456", b"\\udc00\\ud800")),
    no_json("B13 a surrogate as UTF-8", GOOD.replace(b"123456", b"\xed\xa0\x80")),
    wrong("B14 2**64", email(ttl=2**64), ttl="out_of_range"),
    wrong("B14 -2**63 - 1", email(ttl=-(2**63) - 1), ttl="out_of_range"),
    wrong("B14 10**100", email(ttl=10**100), ttl="out_of_range"),
    wrong("B15 mass assignment", email(tenant="other", id="x", status="sent"), tenant="unknown_field", id="unknown_field", status="unknown_field"),
    wrong("B15 __proto__", email(__proto__={"admin": True}), __proto__="unknown_field"),
    wrong("B15 a name in capitals", email(Channel="email"), Channel="unknown_field"),
    no_json("B16 20,000 names", json.dumps({f"k{n}": 1 for n in range(20_000)}).encode()),
    no_json("B16 100,000 names", json.dumps({f"k{n}": 1 for n in range(100_000)}).encode(), BATCH),
]  # fmt: skip


@pytest.mark.parametrize(**table(CASES))
async def test_section_b(door, case):
    """400 `invalid_json` for the whole, or 422 with the pointer of each wrong value."""
    await check(door, case)


async def test_a_wrong_name_is_told_what_was_meant(door):
    """B15: the detail names the field that was probably meant."""
    answer = await check(door, wrong("B15", email(referense="y"), referense="unknown_field"))
    assert "did you mean reference?" in answer.json()["errors"][0]["detail"]
