"""Section D of the catalogue: what is no recipient, of any channel."""

import dataclasses
import json
import shutil

import pytest

from tests.acceptance.http.conftest import CONFIG, Door
from tests.catalogue.kit import (
    CANARY,
    SEND,
    Case,
    add_keys,
    check,
    email,
    parts,
    post,
    push,
    sms,
    table,
    talk,
)
from tests.catalogue.subscriptions import AUTH, BASE_POINT, P256DH, b64url, subscription

pytestmark = pytest.mark.asyncio(loop_scope="module")


def short(value):
    text = json.dumps(value)
    return text if len(text) <= 50 else f"{text[:40]}… of {len(text)}"


def no_address(entry, text):
    return Case(
        f"{entry} {short(text)}", post(email(to={"email": text})), wrong={"/to/email": "invalid_recipient"}
    )


def no_name(name, text):
    to = {"email": "ada@example.com", "name": text}
    return Case(f"D03 {name}", post(email(to=to)), wrong={"/to/name": "invalid_recipient"})


def no_number(text):
    return Case(f"D08 {short(text)}", post(sms(to={"phone": text})), wrong={"/to/phone": "invalid_recipient"})


def no_token(name, token, platform, below="", entry="D09"):
    sent = post(push(to={"push_token": token, "platform": platform}))
    return Case(f"{entry} {platform} {name}", sent, wrong={f"/to/push_token{below}": "invalid_recipient"})


def no_endpoint(endpoint):
    return no_token(short(endpoint), subscription(endpoint), "webpush", "/endpoint", "D10")


def no_keys(name, below, **changes):
    return no_token(name, subscription(**changes), "webpush", f"/keys/{below}", "D10")


def taken(name, value):
    return Case(name, post(value), status=202)


def wrong_to(name, to, wrong, make=email):
    return Case(name, post(make(to=to)), wrong=wrong)


D01 = [
    "", "@", CANARY, "ada@", "@example.com", "a@b@example.com", "ada@example.com.", "ada@.example.com",
    "ada@exa..mple.com", ".ada@example.com", "ada.@example.com", "a..da@example.com", "a da@example.com",
    " ada@example.com", "ada@example.com\n", f"ada@example.com\r\nBcc: {CANARY}@y.com", "ada\u2028@example.com",
    "ada\u200b@example.com", "ada\u202e@example.com", "x" * 65 + "@example.com", "a@" + "x" * 64 + ".com",
    "a@" + ".".join(["x" * 62] * 4) + ".test", "a@" + ".".join(["b" * 60] * 5) + ".com", "a" * 100_000,
    "a@-x.example", "a@x-.example", "a@x_y.example", "a@xn--a.example", "a@hidden.onion", "a@4.3.2.1.in-addr.arpa",
    "ada%40example.com", "mailto:ada@example.com", "ada@example.com?bcc=x@y.z", "ada@exam ple.com", "ada@example,com",
    "ada@example.com/", "ada@example.com:25", "ada@\uff45xample\uff0e", "=?utf-8?q?a?=@=?utf-8?q?b?=",
]  # fmt: skip
D02 = [
    "a@x.com, evil@y.com",
    "a@x.com,evil@y.com",
    "a@x.com;b",
    "a@x.com evil@y.com",
    "a@x.com\tevil@y.com",
    "a@x.com>,<evil@y.com",
]
D04 = [
    "a@[127.0.0.1]",
    "a@[IPv6:::1]",
    "a@127.0.0.1",
    "a@①②⑦.0.0.1",
    "a@2130706433",
    "a@host.0x7f",
    "a@localhost",
    "a@single",
    "a@test",
]
D06 = [
    '"ada"@example.com', '"a da"@example.com', "ada(comment)@example.com", "ada@example.com(comment)",
    "<ada@example.com>", "Ada <ada@example.com>", "@relay.example:ada@example.com", "ada\\@x@example.com",
]  # fmt: skip
D08 = [
    "", "+", "+1", "+12", "+123456", "14155552671", "4155552671", "0014155552671", "+1415555267a", "+1 415 555 2671",
    "+1-415-555-2671", "+14155552671 ", "+14155552671\n", "+14155552671;ext=5", "+14155552671x5", "tel:+14155552671",
    "++14155552671", "+01234567890", "+0123456789", "+١٤١٥٥٥٥٢٦٧١", "+\uff11\uff14\uff11\uff15\uff15\uff15\uff15\uff12\uff16\uff17\uff11", "\uff0b14155552671",
    "+1234567890123456", "+12345678901234567", "+1415CALLNOW", "+9991234567", "+4407911123456", "+447700900007",
    "+19005551234", "+449098790000", "+88213123456", "112", "911", "+1911", "+" + "1" * 100_000, "+1\u200b4155552671",
]  # fmt: skip
ENDPOINTS = [
    "", None, 5, "push.example.com/x", "http://push.example.com/x", "file:///etc/passwd", "ftp://push.example.com/x",
    "https://user@push.example.com/x", "https://user:secret@push.example.com/x", "https://push.example.com:22/x",
    "https://push.example.com:8443/x", "https://push.example.com:/x", "https://push.example.com:443443/x",
    "https://127.0.0.1/x", "https://127.1/x", "https://2130706433/x", "https://0x7f.0.0.0x1/x", "https://0177.0.0.1/x",
    "https://[::1]/x", "https://[::ffff:127.0.0.1]/x", "https://localhost/x", "https://a.localhost/x",
    "https://a.internal/x", "https://single/x", "https://push.example.com./x", "https://push..example.com/x",
    "https://push.example.com\\@evil.example/x", "https://push.example.com/x#part", "https://push.example.com/x y",
    "https://push.example.com/x\r\nHost: evil", "https://①②⑦.0.0.1/x", "https://169.254.169.254/latest/meta-data",
    "https://" + "a." * 2000 + "com/x",
]  # fmt: skip

CASES = [
    *(no_address("D01", text) for text in D01),
    *(no_address("D02", text) for text in D02),
    *(taken(f"D03 {name!r} is data", email(to={"email": "ada@example.com", "name": name})) for name in (
        "Ada, Countess", '"Ada"', "<evil@example.com>", "艾达 👩‍💻", "x" * 200, "=?utf-8?q?evil?=",
    )),
    *(no_name(name, text) for name, text in {
        "empty": "", "blank": "  ", "zero-width": "\u200b", "CRLF": f"x\r\nBcc: {CANARY}@example.com",
        "paragraph separator": "a\u2029b", "escape sequence": "\x1b[1m", "201 letters": "x" * 201, "tab": "a\tb",
    }.items()),
    *(no_address("D04", text) for text in D04),
    taken("D05 an IDN domain", email(to={"email": "ada@bücher.example"})),
    taken("D05 a mixed-script homograph is kept", email(to={"email": "ada@p\u0430ypal.com"})),
    no_address("D05", "müller@example.com"),
    no_address("D05", "\u0430da@example.com"),
    *(no_address("D06", text) for text in D06),
    taken("D07 .test outside production", email(to={"email": "a@x.test"})),
    *(no_number(text) for text in D08),
    wrong_to("D08 a number", {"phone": 14155552671}, {"/to/phone": "invalid_type"}, sms),
    no_token("empty", "", "fcm"),
    no_token("short", "short", "fcm"),
    no_token("5,000 letters", "x" * 5000, "fcm"),
    no_token("4,098 bytes", "ü" * 2049, "fcm"),
    no_token("blanks", "abc def ghi", "fcm"),
    no_token("newline", "abcdefgh\n", "fcm"),
    no_token("not ASCII", "abcdefghü", "fcm"),
    no_token("an object", {}, "fcm"),
    no_token("a subscription", subscription(), "fcm"),
    no_token("empty", "", "apns"),
    no_token("not hexadecimal", "g" * 64, "apns"),
    no_token("63 digits", "a" * 63, "apns"),
    no_token("201 digits", "a" * 201, "apns"),
    no_token("blank behind", "a" * 64 + " ", "apns"),
    no_token("full-width digits", "\uff11" * 64, "apns"),
    wrong_to("D09 an unknown platform", {"push_token": "a" * 64, "platform": "gcm"}, {"/to/platform": "invalid_recipient"}, push),
    wrong_to("D09 no platform", {"push_token": "a" * 64}, {"/to/platform": "required"}, push),
    wrong_to("D09 a number for a token", {"push_token": 5, "platform": "fcm"}, {"/to/push_token": "invalid_type"}, push),
    no_token("empty", "", "webpush", entry="D10"),
    no_token("a subscription as text", json.dumps(subscription()), "webpush", entry="D10"),
    no_token("nothing in it", {}, "webpush", entry="D10"),
    no_token("no keys", {"endpoint": "https://push.example.com/x"}, "webpush", entry="D10"),
    no_token("a field too many", subscription(extra="x"), "webpush", entry="D10"),
    *(no_endpoint(endpoint) for endpoint in ENDPOINTS),
    no_endpoint(2**70),
    *(no_token(f"keys {keys}", {"endpoint": "https://a.example/x", "keys": keys}, "webpush", "/keys", "D10") for keys in ({}, [], {"p256dh": P256DH}, {"p256dh": P256DH, "auth": AUTH, "more": ""})),
    no_keys("p256dh empty", "p256dh", p256dh=""),
    no_keys("p256dh null", "p256dh", p256dh=None),
    no_keys("p256dh off the curve", "p256dh", p256dh=b64url(BASE_POINT[:-1] + bytes([BASE_POINT[-1] ^ 1]))),
    no_keys("p256dh a byte short", "p256dh", p256dh=b64url(BASE_POINT[:-1])),
    no_keys("p256dh a byte long", "p256dh", p256dh=b64url(BASE_POINT + b"\0")),
    no_keys("p256dh compressed", "p256dh", p256dh=b64url(b"\x02" + BASE_POINT[1:33])),
    no_keys("p256dh hybrid", "p256dh", p256dh=b64url(b"\x06" + BASE_POINT[1:])),
    no_keys("p256dh zero", "p256dh", p256dh=b64url(b"\x04" + bytes(64))),
    no_keys("p256dh beyond the field", "p256dh", p256dh=b64url(b"\x04" + b"\xff" * 64)),
    no_keys("p256dh in plain base64", "p256dh", p256dh="+" + P256DH[1:]),
    no_keys("auth empty", "auth", auth=""),
    no_keys("auth a number", "auth", auth=16),
    no_keys("auth of 15 bytes", "auth", auth=b64url(bytes(15))),
    no_keys("auth of 17 bytes", "auth", auth=b64url(bytes(17))),
    no_keys("auth of one letter", "auth", auth="A"),
    *(no_token(f"expirationTime {value!r}", subscription(expirationTime=value), "webpush", "/expirationTime", "D10") for value in (True, "5", -1, 2**53, [])),
    Case("D11 strict, nobody suppressed", post(email(), f"{SEND}?strict=true"), status=202),
    wrong_to("D12 1,000 recipients", [{"email": f"a{n}@example.com"} for n in range(1000)], {"/to": "invalid_type"}),
    wrong_to("D12 10,000 recipients by one field", {"email": [f"a{n}@example.com" for n in range(10_000)]}, {"/to/email": "invalid_type"}),
    wrong_to("D12 nobody", {}, {"/to/email": "required"}),
    wrong_to("D12 null", {"email": None}, {"/to/email": "required"}),
    wrong_to("D12 a plain text", "ada@example.com", {"/to": "invalid_type"}),
    wrong_to("D12 of another channel", {"phone": "+14155552671"}, {"/to/phone": "not_allowed", "/to/email": "required"}),
    wrong_to("D12 of two channels", {"email": "a@example.com", "phone": "+14155552671"}, {"/to/phone": "not_allowed"}),
    wrong_to("D12 a chat", {"chat": "ops"}, {"/to/chat": "not_supported", "/to/email": "required"}),
    wrong_to("D12 cc", {"email": "a@example.com", "cc": f"{CANARY}@example.com"}, {"/to/cc": "unknown_field"}),
]  # fmt: skip
assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize(**table(CASES))
async def test_section_d(door, case):
    """422 with the recipient's pointer; the address is not repeated."""
    await check(door, case)


async def test_several_recipients_are_told_of_the_batch(door):
    """D12: the detail says what to do instead."""
    answer = parts(await talk(door.port, post(email(to=[{"email": "a@example.com"}] * 3))))
    assert "use a batch" in answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize("domain", ["x.test", "x.invalid", "a.localhost", "printer.local"])
async def test_a_production_door_refuses_domains_without_mail(migrated, tmp_path, domain):
    """D07: RFC 2606 and RFC 6761, once the database or the broker is elsewhere."""
    shutil.copy(migrated, tmp_path / "notifier.db")
    made = Door(f"sqlite:///{tmp_path}/notifier.db", dataclasses.replace(CONFIG, production=True))
    add_keys(made.engine)
    await made.start()
    await check(made, no_address("D07", f"a@{domain}"))
    await made.close()
