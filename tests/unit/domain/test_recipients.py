"""Recipients: what is refused at the door, how what is taken is kept, and that nothing of it leaks."""

import base64
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from notifier.domain.errors import InvalidInput
from notifier.domain.lanes import Channel
from notifier.domain.recipients import (
    SIMULATOR_PHONES,
    EmailAddress,
    PhoneNumber,
    Platform,
    PushToken,
    address_key,
    recipient_from_json,
)

#: The base point of P-256 (NIST SP 800-186): a public key as good as any.
BASE_POINT = bytes.fromhex(
    "04"
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)


def b64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


P256DH, AUTH = b64url(BASE_POINT), b64url(bytes(range(16)))


def subscription(endpoint="https://push.example.com/send/abc", p256dh=P256DH, auth=AUTH, **more):
    return {"endpoint": endpoint, "keys": {"p256dh": p256dh, "auth": auth}, **more}


def refusal(parse, *args, **kwargs):
    with pytest.raises(InvalidInput) as caught:
        parse(*args, **kwargs)
    return caught.value


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("ada@example.com", "ada@example.com"),
        ("Ada.B+tag@EXAMPLE.com", "Ada.B+tag@example.com"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@bu\u0308cher.example", "ada@xn--bcher-kva.example"),
        ("ada@例え.テスト", "ada@xn--r8jz45g.xn--zckzah"),
        ("o'hara!#$%&*/=?^_`{|}~-@example.com", "o'hara!#$%&*/=?^_`{|}~-@example.com"),
        ("delivered@simulator.notifier", "delivered@simulator.notifier"),
        ("ada@host.test", "ada@host.test"),
        ("ada@Host.INVALID", "ada@host.invalid"),
        (f"{'x' * 64}@example.com", f"{'x' * 64}@example.com"),
        (f"a@{'x' * 63}.com", f"a@{'x' * 63}.com"),
    ],
)
def test_an_address_is_kept_in_one_form(text, kept):
    """NFC, the domain in lower case and in A-labels; the local part as it came."""
    assert EmailAddress.parse(text).address == kept


LONGEST = "a@" + ".".join(["x" * 62] * 4)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "ada",
        "ada@",
        "@example.com",
        "a@b@example.com",
        "a@x.com, evil@y.com",
        "a@x.com,evil@y.com",
        "a@x.com;b",
        "ada@example.com.",
        "ada@.example.com",
        "ada@exa..mple.com",
        ".ada@example.com",
        "ada.@example.com",
        "a..da@example.com",
        "a da@example.com",
        " ada@example.com",
        "ada@example.com\n",
        "ada@example.com\r\nBcc: evil@y.com",
        "ada\0@example.com",
        "ada\u2028@example.com",
        "ada\ud800@example.com",
        "ada\u200b@example.com",
        '"ada"@example.com',
        '"a da"@example.com',
        "ada(comment)@example.com",
        "ada@example.com(comment)",
        "<ada@example.com>",
        "Ada <ada@example.com>",
        "@relay.example:ada@example.com",
        "a@[127.0.0.1]",
        "a@[IPv6:::1]",
        "a@127.0.0.1",
        "a@①②⑦.0.0.1",
        "a@2130706433",
        "a@host.0x7f",
        "a@localhost",
        "a@single",
        "a@test",
        "a@hidden.onion",
        "a@4.3.2.1.in-addr.arpa",
        "a@-x.example",
        "a@x-.example",
        "a@x_y.example",
        "a@xn--a.example",
        "müller@example.com",
        f"{'x' * 65}@example.com",
        f"a@{'x' * 64}.com",
        LONGEST + ".test",
        LONGEST + ".exam",
        "a" * 1_000_000,
    ],
)
def test_what_is_not_exactly_one_plain_address_is_refused(text):
    """One pointer, one code, and nothing of the address in the answer."""
    error = refusal(EmailAddress.parse, text)
    assert (error.code, error.pointer) == ("invalid_recipient", "/email")
    assert "evil" not in error.detail
    assert "müller" not in error.detail


@pytest.mark.parametrize("text", ["ada@host.test", "ada@host.invalid", "a@b.LOCALHOST", "ada@printer.local"])
def test_production_refuses_domains_that_never_receive_mail(text):
    assert EmailAddress.parse(text).address == text.lower()
    assert refusal(EmailAddress.parse, text, allow_special=False).pointer == "/email"


@pytest.mark.parametrize("text", ["ada@example.com", "ada@shop.example", "ada@testing.com", "a@test.com"])
def test_production_still_takes_the_domains_of_documents(text):
    assert EmailAddress.parse(text, allow_special=False).address == text


def test_a_local_part_in_utf8_needs_a_provider_with_smtputf8():
    """RFC 6531; kept in NFC, and its 64 are octets."""
    found = EmailAddress.parse("mu\u0308ller@bücher.example", allow_utf8_local=True)
    assert found.address == "müller@xn--bcher-kva.example"
    assert refusal(EmailAddress.parse, "ü" * 33 + "@example.com", allow_utf8_local=True).pointer == "/email"
    assert "ASCII" in refusal(EmailAddress.parse, "müller@example.com").detail


@pytest.mark.parametrize(
    ("text", "mixed"),
    [
        ("ada@example.com", False),
        ("ada@p\u0430ypal.com", True),
        ("ada@bücher.example", False),
        ("ada@пример.com", False),
        ("ada@東京タワーabc.example", False),
        ("ada@\u03b1pple.example", True),
    ],
)
def test_a_name_that_mixes_alphabets_is_kept_and_flagged(text, mixed):
    assert EmailAddress.parse(text).mixed_script is mixed


def test_a_mixed_local_part_is_flagged_too():
    assert EmailAddress.parse("\u0430da@example.com", allow_utf8_local=True).mixed_script


@pytest.mark.parametrize("name", ["Ada, Countess", '"Ada"', "<evil@example.com>", "艾达 👩‍💻", "x" * 200])
def test_a_display_name_is_data(name):
    """Whatever can stand in one line is kept as it is; quoting is the sender's work."""
    assert EmailAddress.parse("ada@example.com", name).name == name


@pytest.mark.parametrize(
    "name", ["", "  ", "\u200b", "Ada\r\nBcc: x", "Ada\0", "a\u2029b", "\x1b[1m", "x" * 201]
)
def test_a_name_with_control_characters_or_nothing_in_it_is_refused(name):
    error = refusal(EmailAddress.parse, "ada@example.com", name)
    assert (error.code, error.pointer) == ("invalid_recipient", "/name")


@pytest.mark.parametrize("text", ["+14155552671", "+447911123456", "+390669812345", "+8613800138000"])
def test_a_number_in_e164_is_kept(text):
    assert PhoneNumber.parse(text).number == text


@pytest.mark.parametrize("last", range(7))
def test_the_simulators_numbers_are_taken_though_no_plan_assigns_them(last):
    text = f"+44770090000{last}"
    assert PhoneNumber.parse(text).number == text
    assert text in SIMULATOR_PHONES


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "+1",
        "+12",
        "+123456",
        "14155552671",
        "0014155552671",
        "+1415555267a",
        "+1 415 555 2671",
        "+1-415-555-2671",
        "+14155552671 ",
        "+14155552671\n",
        "+14155552671;ext=5",
        "+14155552671x5",
        "tel:+14155552671",
        "++14155552671",
        "+01234567890",
        "+١٤١٥٥٥٥٢٦٧١",
        "+1234567890123456",
        "+9991234567",
        "+4407911123456",
        "+447700900007",
        "+19005551234",
        "+449098790000",
        "+88213123456",
        "911",
        "+1911",
        "+" + "1" * 1_000_000,
    ],
)
def test_what_is_no_number_for_a_text_message_is_refused(text):
    """Letters, short codes, extensions, trunk prefixes, premium rates, numbers nobody has."""
    error = refusal(PhoneNumber.parse, text)
    assert (error.code, error.pointer) == ("invalid_recipient", "/phone")


def test_tokens_are_kept():
    assert PushToken.parse("abc:DEF-123_x.y", "fcm") == PushToken("abc:DEF-123_x.y", Platform.FCM)
    assert PushToken.parse("AB" * 32, "apns") == PushToken("ab" * 32, Platform.APNS)


@pytest.mark.parametrize("platform", ["", "FCM", "gcm", "windows", "fcm "])
def test_an_unknown_platform_is_refused_with_what_is_allowed(platform):
    error = refusal(PushToken.parse, "a" * 64, platform)
    assert error.pointer == "/platform"
    assert "fcm, apns, webpush" in error.detail


@pytest.mark.parametrize(
    ("token", "platform"),
    [
        ("", "fcm"),
        ("short", "fcm"),
        ("a" * 4097, "fcm"),
        ("ü" * 2049, "fcm"),
        ("abc def ghi", "fcm"),
        ("abcdefgh\n", "fcm"),
        ("abcdefgh\0", "fcm"),
        ("abcdefghü", "fcm"),
        ("abcdefgh\ud800", "fcm"),
        ({}, "fcm"),
        (subscription(), "fcm"),
        ("", "apns"),
        ("g" * 64, "apns"),
        ("a" * 63, "apns"),
        ("a" * 201, "apns"),
        ("a" * 64 + " ", "apns"),
        ("", "webpush"),
        (json.dumps(subscription()), "webpush"),
        ({}, "webpush"),
        ({"endpoint": "https://push.example.com/x"}, "webpush"),
        (subscription(extra="x"), "webpush"),
    ],
)
def test_a_bad_token_is_refused(token, platform):
    error = refusal(PushToken.parse, token, platform)
    assert (error.code, error.pointer) == ("invalid_recipient", "/push_token")


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        None,
        5,
        "push.example.com/x",
        "http://push.example.com/x",
        "file:///etc/passwd",
        "ftp://push.example.com/x",
        "https://user@push.example.com/x",
        "https://user:secret@push.example.com/x",
        "https://push.example.com:22/x",
        "https://push.example.com:8443/x",
        "https://push.example.com:/x",
        "https://push.example.com:443443/x",
        "https://127.0.0.1/x",
        "https://127.1/x",
        "https://2130706433/x",
        "https://0x7f.0.0.0x1/x",
        "https://0177.0.0.1/x",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://localhost/x",
        "https://a.localhost/x",
        "https://a.internal/x",
        "https://single/x",
        "https://push.example.com./x",
        "https://push..example.com/x",
        "https://push.example.com\\@evil.example/x",
        "https://push.example.com/x#part",
        "https://push.example.com/x y",
        "https://push.example.com/x\r\nHost: evil",
        "https://①②⑦.0.0.1/x",
        "https://" + "a." * 2000 + "com/x",
    ],
)
def test_an_endpoint_that_could_reach_elsewhere_is_refused(endpoint):
    error = refusal(PushToken.parse, subscription(endpoint), "webpush")
    assert error.pointer == "/push_token/endpoint"


OFF_CURVE = b64url(BASE_POINT[:-1] + bytes([BASE_POINT[-1] ^ 1]))


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"p256dh": ""}, "/p256dh"),
        ({"p256dh": None}, "/p256dh"),
        ({"p256dh": OFF_CURVE}, "/p256dh"),
        ({"p256dh": b64url(BASE_POINT[:-1])}, "/p256dh"),
        ({"p256dh": b64url(BASE_POINT + b"\0")}, "/p256dh"),
        ({"p256dh": b64url(b"\x02" + BASE_POINT[1:33])}, "/p256dh"),
        ({"p256dh": b64url(b"\x06" + BASE_POINT[1:])}, "/p256dh"),
        ({"p256dh": b64url(b"\x04" + bytes(64))}, "/p256dh"),
        ({"p256dh": b64url(b"\x04" + b"\xff" * 64)}, "/p256dh"),
        ({"p256dh": "+" + P256DH[1:]}, "/p256dh"),
        ({"auth": ""}, "/auth"),
        ({"auth": 16}, "/auth"),
        ({"auth": b64url(bytes(15))}, "/auth"),
        ({"auth": b64url(bytes(17))}, "/auth"),
        ({"auth": AUTH[:-1] + "A" * 4}, "/auth"),
        ({"auth": "A"}, "/auth"),
    ],
)
def test_keys_that_can_encrypt_nothing_are_refused(changes, pointer):
    """RFC 8291: an uncompressed point that lies on P-256, and 16 bytes of secret."""
    error = refusal(PushToken.parse, subscription(**changes), "webpush")
    assert error.pointer == f"/push_token/keys{pointer}"


def test_missing_and_foreign_keys_are_refused():
    for keys in ({}, [], {"p256dh": P256DH}, {"p256dh": P256DH, "auth": AUTH, "more": ""}):
        error = refusal(PushToken.parse, {"endpoint": "https://a.example/x", "keys": keys}, "webpush")
        assert error.pointer == "/push_token/keys"


def test_one_subscription_has_one_text():
    """Order, padding, a null expirationTime and the case of the host's scheme change nothing kept."""
    plain = PushToken.parse(subscription(), "webpush")
    padded = {"keys": {"auth": AUTH + "==", "p256dh": P256DH + "="}, "expirationTime": None}
    assert PushToken.parse({**padded, "endpoint": plain.subscription["endpoint"]}, "webpush") == plain
    assert plain.subscription == subscription()


@pytest.mark.parametrize("value", [True, "5", -1, float("nan"), float("inf"), 2**53, []])
def test_a_wrong_expiration_is_refused(value):
    error = refusal(PushToken.parse, subscription(expirationTime=value), "webpush")
    assert error.pointer == "/push_token/expirationTime"


def test_an_expiration_is_kept_and_is_no_part_of_the_address():
    dated = PushToken.parse(subscription(expirationTime=1_900_000_000_000), "webpush")
    assert dated.to_json()["push_token"]["expirationTime"] == 1_900_000_000_000
    assert address_key(dated) == address_key(PushToken.parse(subscription(), "webpush"))


ALL = [
    (EmailAddress("Ada@example.com", "Ada"), Channel.EMAIL),
    (EmailAddress("ada@example.com"), Channel.EMAIL),
    (PhoneNumber("+14155552671"), Channel.SMS),
    (PushToken("secret-token", Platform.FCM), Channel.PUSH),
    (PushToken("ab" * 32, Platform.APNS), Channel.PUSH),
    (PushToken.parse(subscription(), "webpush"), Channel.PUSH),
]


@pytest.mark.parametrize(("recipient", "channel"), ALL)
def test_what_is_kept_comes_back_equal(recipient, channel):
    """JSON there and back, through text as a database keeps it."""
    kept = json.dumps(recipient.to_json())
    assert recipient_from_json(json.loads(kept)) == recipient
    assert recipient.channel is channel


@pytest.mark.parametrize(("recipient", "_channel"), ALL)
def test_no_recipient_shows_its_address(recipient, _channel):
    """A stray log line, an exception's text or a debugger's dump can't leak it."""
    for shown in (repr(recipient), str(recipient), f"{[recipient]}"):
        for secret in ("ada", "415", "secret", "abab", "push.example", AUTH):
            assert secret not in shown.lower()


def test_an_address_has_one_key_however_it_is_written():
    assert address_key(EmailAddress("Ada@example.com", "x")) == address_key(EmailAddress("aDA@example.com"))
    assert address_key(PhoneNumber("+14155552671")) == "+14155552671"
    assert address_key(PushToken("t" * 8, Platform.FCM)) != address_key(PushToken("t" * 8, Platform.APNS))
    assert all(len(address_key(recipient)) <= 265 for recipient, _ in ALL)


@settings(deadline=None)
@given(st.text(max_size=40), st.booleans())
@example("a@b\u3002com", True)
@example("a@\u00ad.com", True)
@example("\u037ea@b.com", True)
def test_any_text_is_taken_or_refused_and_nothing_else(text, utf8):
    """No text raises anything but `InvalidInput`; what is taken is one address, and taken again as it is."""
    for candidate in (text, f"{text}@example.com", f"a@{text}.com"):
        try:
            found = EmailAddress.parse(candidate, allow_utf8_local=utf8)
        except InvalidInput:
            continue
        local, _, domain = found.address.partition("@")
        assert "@" not in domain
        assert domain.isascii()
        assert not set(local) & set(' ,;:<>()[]"\\\r\n')
        assert EmailAddress.parse(found.address, allow_utf8_local=utf8) == found
        assert isinstance(found.mixed_script, bool)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["endpoint", "keys", "expirationTime", "x"]), _JSON)
    | st.builds(subscription, _JSON, _JSON, _JSON),
    st.text(max_size=30),
)
def test_any_json_for_a_token_is_refused_by_value(data, text):
    for token, platform in ((data, "webpush"), (text, "fcm"), (text, "apns"), (data, "fcm")):
        assert pointer_of_refusal(token, platform).startswith("/push_token")


def pointer_of_refusal(token, platform):
    try:
        PushToken.parse(token, platform)
    except InvalidInput as error:
        return error.pointer
    return "/push_token: taken"


@settings(deadline=None)
@given(st.text(alphabet="+0123456789 x", max_size=18))
def test_a_number_taken_is_e164(text):
    try:
        number = PhoneNumber.parse(text).number
    except InvalidInput:
        return
    assert number == text
    assert number[1:].isdigit()
