"""Sections B, C and D of the catalogue of bad input: JSON, fields and recipients.

None of it is kept, none of it is a 5xx, and no answer repeats a long value.
"""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from notifier.domain.lanes import Channel
from notifier.http.answer_types import Problem
from tests.acceptance.http.test_sending import EMAIL, body


async def refused(door, sent, *, status=422, **more):
    """The problem in the answer to `sent`, once it is certain that nothing was kept."""
    answer = await door.post(sent, **more)
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert door.rows() == 0
    problem = msgspec.json.decode(answer.body, type=Problem)
    assert problem.request_id == answer.headers["X-Request-Id"]
    return problem


def named(problem):
    """The wrong fields as ``{pointer: code}``."""
    return {error.pointer: error.code for error in problem.errors}


def sms(**changes):
    return json.dumps(
        {"channel": "sms", "to": {"phone": "+14155552671"}, "content": {"text": "hi"}} | changes
    ).encode()


def push(**changes):
    to = {"push_token": "a" * 64, "platform": "apns"}
    return json.dumps({"channel": "push", "to": to, "content": {"text": "hi"}} | changes).encode()


GOOD = body()
NOT_JSON = {
    "empty": b"",
    "spaces": b"  ",
    "not JSON": b"channel=email",
    "byte-order mark": b"\xef\xbb\xbf" + GOOD,
    "UTF-16": GOOD.decode().encode("utf-16"),
    "invalid UTF-8": GOOD.replace(b"Your code", b"\xff\xfe"),
    "NaN": GOOD[:-1] + b', "ttl": NaN}',
    "Infinity": GOOD[:-1] + b', "ttl": -Infinity}',
    "1e999": GOOD[:-1] + b', "ttl": 1e999}',
    "duplicate name": GOOD[:-1] + b', "channel": "sms"}',
    "duplicate name inside": GOOD.replace(b'"subject"', b'"text": "x", "subject"'),
    "5,000 digits": GOOD[:-1] + b', "ttl": ' + b"9" * 5000 + b"}",
    "top level list": b"[" + GOOD + b"]",
    "top level string": b'"x"',
    "top level number": b"1",
    "top level null": b"null",
    "trailing garbage": GOOD + b" x",
    "cut off": GOOD[:-1],
    "NUL in a value": GOOD.replace(b"123456", b"12\\u00003456"),
    "NUL in a name": GOOD[:-1] + b', "metadata": {"a\\u0000": "b"}}',
    "NUL in an unknown field": GOOD[:-1] + b', "x": ["\\u0000"]}',
    "raw NUL": GOOD.replace(b"123456", b"12\x003456"),
    "raw newline in a string": GOOD.replace(b"123456", b"12\n3456"),
    "lone surrogate": GOOD.replace(b"123456", b"\\ud800"),
    "lone surrogate as UTF-8": GOOD.replace(b"123456", b"\xed\xa0\x80"),
    "too deep": b'{"channel": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "rather deep": b'{"channel": ' + b"[" * 500 + b"]" * 500 + b"}",
    "20,000 names": json.dumps({f"k{n}": 1 for n in range(20_000)}).encode(),
}


@pytest.mark.parametrize("sent", NOT_JSON.values(), ids=NOT_JSON)
async def test_what_is_no_storable_json_is_400(door, sent):
    """Section B: 400 `invalid_json` with a reason."""
    problem = await refused(door, sent, status=400)
    assert problem.code == "invalid_json"
    assert problem.detail


async def test_an_escaped_backslash_before_u0000_is_no_nul(door):
    """The text ``\\u0000``, written out, is harmless."""
    assert (await door.post(GOOD.replace(b"123456", b"\\\\u0000"))).status == 202


async def test_an_object_of_100_000_names_is_400(door):
    """In a batch's body, the only one large enough."""
    sent = json.dumps({f"k{n}": 1 for n in range(100_000)})
    problem = await refused(door, sent, status=400, path="/v1/notifications/batch")
    assert problem.code == "invalid_json"


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/json; charset=latin-1",
    ],
)
async def test_another_content_type_is_415(door, content_type):
    """Only application/json in UTF-8 is read."""
    head = b"POST /v1/notifications HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    head += f"Authorization: Bearer {door.key}\r\nContent-Length: {len(GOOD)}\r\n".encode()
    if content_type:
        head += f"Content-Type: {content_type}\r\n".encode()
    answer = await door.raw(head + b"\r\n" + GOOD)
    assert b" 415 " in answer
    assert b"unsupported_media_type" in answer
    assert door.rows() == 0


async def test_a_body_above_the_limit_is_413(door):
    """1 MB in a limit of 256 KB."""
    problem = await refused(door, body(content={"subject": "s", "text": "x" * 1_000_000}), status=413)
    assert problem.code == "body_too_large"


NOW = datetime.now(UTC)
FIELDS = {
    "all missing": (b"{}", {"/channel": "required", "/to": "required", "/content": "required"}),
    "several at once": (
        body(channel="fax", priority="urgent", tags=[1], ttl="1", colour="red"),
        {
            "/channel": "not_allowed",
            "/priority": "not_allowed",
            "/tags/0": "invalid_type",
            "/ttl": "invalid_type",
            "/colour": "unknown_field",
        },
    ),
    "shape and rule together": (
        body(ttl=0, reference="", content={"subject": 1, "text": " "}),
        {"/ttl": "out_of_range", "/reference": "length", "/content/subject": "invalid_type", "/content/text": "blank"},
    ),
    "wrong case": (body(channel="Email"), {"/channel": "not_allowed"}),
    "chat": (body(channel="chat"), {"/channel": "not_supported"}),
    "true for a number": (body(ttl=True), {"/ttl": "invalid_type"}),
    "text for a number": (body(ttl="60"), {"/ttl": "invalid_type"}),
    "1.0 for an integer": (body(ttl=1.0), {"/ttl": "invalid_type"}),
    "number for text": (body(reference=5), {"/reference": "invalid_type"}),
    "beyond 64 bits": (body(ttl=2**64), {"/ttl": "out_of_range"}),
    "far beyond 64 bits": (body(ttl=10**100), {"/ttl": "out_of_range"}),
    "mass assignment": (body(tenant="other", id="x", status="sent"), {"/tenant": "unknown_field", "/id": "unknown_field", "/status": "unknown_field"}),
    "template": (body(template={"key": "otp"}), {"/template": "not_supported"}),
    "dedup": (body(dedup={"key": "k"}), {"/dedup": "not_supported"}),
    "attachments": (
        body(content={"subject": "s", "text": "t", "attachments": []}),
        {"/content/attachments": "not_supported"},
    ),
    "empty content": (body(content={}), {"/content/subject": "required", "/content/text": "required"}),
    "blank content": (body(content={"subject": "s", "text": "\u200b \n"}), {"/content/text": "blank"}),
    "title in an e-mail": (body(content={"subject": "s", "text": "t", "title": "x"}), {"/content/title": "not_allowed"}),
    "subject too long": (body(content={"subject": "s" * 256, "text": "t"}), {"/content/subject": "too_long"}),
    "subject of two lines": (
        body(content={"subject": "a\r\nBcc: x@y.z", "text": "t"}), {"/content/subject": "control_characters"},
    ),
    "11 segments": (sms(content={"text": "x" * 1600}), {"/content/text": "too_long"}),
    "push above 4 KB": (push(content={"text": "x" * 4100}), {"/content/text": "too_long"}),
    "send_at past": (body(send_at=(NOW - timedelta(minutes=6)).isoformat()), {"/send_at": "out_of_range"}),
    "send_at far": (body(send_at=(NOW + timedelta(days=367)).isoformat()), {"/send_at": "out_of_range"}),
    "send_at without zone": (body(send_at="2027-01-01T09:00:00"), {"/send_at": "invalid_time"}),
    "29 Feb 2027": (body(send_at="2027-02-29T09:00:00Z"), {"/send_at": "invalid_time"}),
    "leap second": (body(send_at="2026-12-31T23:59:60Z"), {"/send_at": "invalid_time"}),
    "year 10000": (body(send_at="10000-01-01T00:00:00Z"), {"/send_at": "invalid_time"}),
    "year 9999 behind UTC": (body(send_at="9999-12-31T23:59:59-23:00"), {"/send_at": "invalid_time"}),
    "send_at a number": (body(send_at=1893456000), {"/send_at": "invalid_type"}),
    "send_at in words": (body(send_at="tomorrow"), {"/send_at": "invalid_time"}),
    "ttl 0": (body(ttl=0), {"/ttl": "out_of_range"}),
    "ttl negative": (body(ttl=-1), {"/ttl": "out_of_range"}),
    "ttl too long": (body(ttl=10**9), {"/ttl": "out_of_range"}),
    "17 metadata": (body(metadata={str(n): "x" for n in range(17)}), {"/metadata": "too_many"}),
    "metadata of 3 KB": (body(metadata={"a": "x" * 3000}), {"/metadata": "too_long"}),
    "nested metadata": (body(metadata={"a": {"b": "c"}}), {"/metadata/a": "invalid_type"}),
    "metadata number": (body(metadata={"a/b": 1}), {"/metadata/a~1b": "invalid_type"}),
    "17 tags": (body(tags=["x"] * 17), {"/tags": "too_many"}),
    "tag with a control character": (body(tags=["a", "b\n"]), {"/tags/1": "control_characters"}),
    "long and empty tags": (body(tags=["x" * 65, ""]), {"/tags/0": "length", "/tags/1": "length"}),
    "long reference": (body(reference="x" * 256), {"/reference": "length"}),
    "long topic": (body(topic="x" * 101), {"/topic": "length"}),
    "on_uncertain": (body(on_uncertain="drop"), {"/on_uncertain": "not_allowed"}),
    "unknown provider": (body(provider="console"), {"/provider": "not_allowed"}),
    "options of another channel": (body(options={"sms": {"sender_id": "A"}}), {"/options/sms": "not_allowed"}),
    "unknown option": (body(options={"email": {"bcc": "x@y.z"}}), {"/options/email/bcc": "unknown_field"}),
    "forbidden header": (
        body(options={"email": {"headers": {"Bcc": "x@y.z"}}}), {"/options/email/headers/Bcc": "not_allowed"},
    ),
    "options null inside": (body(options={"email": {"headers": {"X-A": None}}}), {"/options/email/headers/X-A": "invalid_type"}),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "wrong"), FIELDS.values(), ids=FIELDS)
async def test_wrong_fields_are_all_named_with_their_codes(door, sent, wrong):
    """Section C: 422, each wrong field by its pointer and code, and no other."""
    problem = await refused(door, sent)
    assert problem.code == "invalid_request"
    assert named(problem) == wrong
    assert all(error.detail for error in problem.errors)


async def test_a_wrong_value_is_told_what_is_allowed(door):
    """The detail names the allowed values, and the field that was probably meant."""
    problem = await refused(door, body(priority="urgent", subjekt="x", referense="y"))
    details = {error.pointer: error.detail for error in problem.errors}
    assert "high, medium, low" in details["/priority"]
    assert "reference" in details["/referense"]


async def test_no_long_value_comes_back(door):
    """Names and values longer than 64 characters are not repeated, and at most 100 errors are listed."""
    long = "L" * 80
    answer = await door.post(body(**{long: long}, channel=long, reference=long * 4, provider=long))
    assert answer.status == 422
    assert long.encode() not in answer.body
    many = await door.post(body(**{f"x{n}": 1 for n in range(500)}))
    problem = msgspec.json.decode(many.body, type=Problem)
    assert (len(problem.errors), problem.errors_left_out) == (100, 400)


RECIPIENTS = {
    "no @": {"email": "ada"},
    "two @": {"email": "a@b@example.com"},
    "trailing dot": {"email": "ada.@example.com"},
    "empty local": {"email": "@nowhere.org"},
    "space": {"email": "a da@example.com"},
    "longer than 254": {"email": "a@" + ".".join(["b" * 60] * 5) + ".com"},
    "local longer than 64": {"email": "a" * 65 + "@example.com"},
    "label longer than 63": {"email": "a@" + "b" * 64 + ".com"},
    "two addresses": {"email": "a@example.com, evil@example.org"},
    "address literal": {"email": "a@[127.0.0.1]"},
    "localhost": {"email": "a@localhost"},
    "single label": {"email": "a@example"},
    "non-ASCII local": {"email": "ådå@example.com"},
    "quoted local": {"email": '"a b"@example.com'},
    "comment": {"email": "a(b)@example.com"},
    "header injection": {"email": "a@example.com\r\nBcc: b@example.com"},
    "name injection": {"email": "a@example.com", "name": "x\r\nBcc: b@example.com"},
}


@pytest.mark.parametrize("to", RECIPIENTS.values(), ids=RECIPIENTS)
async def test_what_is_no_single_address_is_422(door, to):
    """Section D: one plain addr-spec, nothing else; the address is not repeated."""
    sent = body(to=to)
    problem = await refused(door, sent)
    assert all(pointer.startswith("/to/") for pointer in named(problem))
    assert to["email"] not in json.dumps([error.detail for error in problem.errors])


@pytest.mark.parametrize(
    "phone", ["", "4155552671", "+0123456789", "+1", "+123", "+12345678901234567", "+1415CALLNOW", "112"]
)
async def test_what_is_no_phone_number_is_422(door, phone):
    """E.164 only."""
    assert set(named(await refused(door, sms(to={"phone": phone})))) == {"/to/phone"}


@pytest.mark.parametrize(
    "to",
    [
        {"push_token": "", "platform": "fcm"},
        {"push_token": "x" * 5000, "platform": "fcm"},
        {"push_token": "a b", "platform": "fcm"},
        {"push_token": "z" * 64, "platform": "apns"},
        {"push_token": "a" * 64, "platform": "gcm"},
        {"push_token": "a" * 64},
        {"push_token": {"endpoint": "http://push.example.com/x", "keys": {}}, "platform": "webpush"},
        {"push_token": {"endpoint": "https://127.0.0.1/x", "keys": {"p256dh": "a", "auth": "b"}}, "platform": "webpush"},
        {"push_token": {"endpoint": 2**70}, "platform": "webpush"},
        {"push_token": 5, "platform": "fcm"},
    ],
)  # fmt: skip
async def test_what_is_no_push_token_is_422(door, to):
    """Section D: tokens and subscriptions."""
    pointers = named(await refused(door, push(to=to)))
    assert all(pointer.startswith("/to/") for pointer in pointers)


@pytest.mark.parametrize(
    ("to", "pointers"),
    [
        ({}, {"/to/email"}),
        ({"phone": "+14155552671"}, {"/to/phone", "/to/email"}),
        ({"email": "a@example.com", "phone": "+14155552671"}, {"/to/phone"}),
        ({"email": None}, {"/to/email"}),
        ({"chat": "ops"}, {"/to/chat", "/to/email"}),
        ("ada@example.com", {"/to"}),
        ([{"email": f"a{n}@example.com"} for n in range(1000)], {"/to"}),
    ],
)
async def test_the_recipient_must_be_the_channels_one(door, to, pointers):
    """One recipient, of the channel's own kind; several are for a batch."""
    problem = await refused(door, body(to=to))
    assert set(named(problem)) == pointers
    if isinstance(to, list):
        assert "batch" in problem.errors[0].detail


class TestInProduction:
    """Addresses that only make sense in tests are refused where it is real."""

    @pytest.fixture
    def config(self):
        import dataclasses

        from tests.acceptance.http.conftest import CONFIG

        return dataclasses.replace(CONFIG, production=True)

    @pytest.mark.parametrize("domain", ["x.test", "x.invalid"])
    async def test_special_domains_are_422(self, door, domain):
        """RFC 2606 and RFC 6761."""
        assert set(named(await refused(door, body(to={"email": f"a@{domain}"})))) == {"/to/email"}


async def test_special_domains_are_taken_outside_production(door):
    """A developer's addresses."""
    assert (await door.post(body(to={"email": "a@x.test"}))).status == 202


async def test_a_wrong_lane_and_wrong_fields_are_told_as_wrong_fields(door):
    """What is wrong is said first; whether the key may is said once the request makes sense."""
    key = door.new_key(channels=[Channel.SMS])
    answer = await door.post(json.dumps(EMAIL | {"ttl": 0}), key=key)
    assert answer.status == 422


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ("?dry_run=yes", "?dry_run", "not_allowed"),
        ("?strict=1", "?strict", "not_allowed"),
        ("?dryrun=true", "?dryrun", "unknown_parameter"),
        ("?strict=true&strict=true", "?strict", "repeated"),
    ],
)
async def test_query_parameters_are_checked_too(door, query, pointer, code):
    """Nothing is accepted and ignored, in the query neither."""
    problem = await refused(door, GOOD, path=f"/v1/notifications{query}")
    assert named(problem) == {pointer: code}
