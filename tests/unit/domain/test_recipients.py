"""Recipients: what is refused at the door, how what is taken is kept, and that nothing of it leaks."""

import json
import re

import pytest
from email_validator import validate_email
from hypothesis import example, given, settings
from hypothesis import strategies as st

from notifier.domain.email_addresses import MAX_ADDRESS, _plain
from notifier.domain.errors import InvalidInput
from notifier.domain.lanes import Channel
from notifier.domain.recipients import (
    SIMULATOR_PHONES,
    ChatDestination,
    EmailAddress,
    PhoneNumber,
    Platform,
    PushToken,
    address_key,
    recipient_from_json,
)
from tests.catalogue.subscriptions import AUTH, P256DH, subscription


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


@pytest.mark.parametrize("text", ["ada\0@example.com", "ada\ud800@example.com", "a" * 1_000_000])
def test_what_is_not_exactly_one_plain_address_is_refused(text):
    """One pointer, one code; what a request can hold is tried at the door (tests/catalogue)."""
    error = refusal(EmailAddress.parse, text)
    assert (error.code, error.pointer) == ("invalid_recipient", "/email")


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


@pytest.mark.parametrize("text", ["+14155552671", "+447911123456", "+390669812345", "+8613800138000"])
def test_a_number_in_e164_is_kept(text):
    assert PhoneNumber.parse(text).number == text


@pytest.mark.parametrize("last", range(7))
def test_the_simulators_numbers_are_taken_though_no_plan_assigns_them(last):
    text = f"+44770090000{last}"
    assert PhoneNumber.parse(text).number == text
    assert text in SIMULATOR_PHONES


@pytest.mark.parametrize("text", ["+14155552671\0", "+\ud800", "+" + "1" * 1_000_000])
def test_what_is_no_number_for_a_text_message_is_refused(text):
    """What a request can hold is tried at the door (tests/catalogue)."""
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


@pytest.mark.parametrize("token", ["abcdefgh\0", "abcdefgh\ud800"])
def test_a_bad_token_is_refused(token):
    """What a request can hold is tried at the door (tests/catalogue)."""
    error = refusal(PushToken.parse, token, "fcm")
    assert (error.code, error.pointer) == ("invalid_recipient", "/push_token")


def test_one_subscription_has_one_text():
    """Order, padding, a null expirationTime and the case of the host's scheme change nothing kept."""
    plain = PushToken.parse(subscription(), "webpush")
    padded = {"keys": {"auth": AUTH + "==", "p256dh": P256DH + "="}, "expirationTime": None}
    assert PushToken.parse({**padded, "endpoint": plain.subscription["endpoint"]}, "webpush") == plain
    assert plain.subscription == subscription()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
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


_WORD = st.text("abz09_%+-.", min_size=1, max_size=70)
_HOST = st.lists(st.text("abxn09-", min_size=1, max_size=66), min_size=1, max_size=4).map(".".join)


@settings(deadline=None, max_examples=300)
@given(_WORD, _HOST, st.sampled_from(["com", "example", "arpa", "onion", "x1", "a", "c-m", "xn--p1ai"]))
@example("postmaster", "example", "com")
@example("a" * 64, "b" * 63, "com")
@example("a" * 65, "example", "com")
@example("a", "b" * 64, "com")
@example("a", "ab--c", "com")
def test_what_is_taken_without_the_library_is_what_the_library_gives(local, host, top):
    """The short way is no second opinion: it takes a part of what the library takes, in the same form."""
    text = f"{local}@{host}.{top}"
    found = _plain(text) if len(text) <= MAX_ADDRESS else None
    if found is not None:
        judged = validate_email(text, check_deliverability=False, globally_deliverable=False)
        assert found == (judged.local_part, judged.ascii_domain)


def test_a_plain_address_needs_no_library():
    """The usual address takes the short way, or it would be of no use."""
    assert _plain("ada.b+tag@mail.example.com") == ("ada.b+tag", "mail.example.com")
    assert _plain("Ada@example.com") is None


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


@settings(deadline=None)
@given(st.text(max_size=70))
@example("ops")
@example("simulator-bounce")
@example("ops\n")
@example("https://hooks.example.com/s3cret")
def test_a_chat_is_a_name_and_never_a_url(text):
    """As accounts are named; what is refused is not repeated."""
    if not re.fullmatch("[a-z0-9][a-z0-9._:-]{0,62}", text):
        with pytest.raises(InvalidInput) as caught:
            ChatDestination.parse(text)
        assert caught.value.pointer == "/chat"
        assert len(text) < 4 or text not in caught.value.detail
        return
    found = ChatDestination.parse(text)
    assert recipient_from_json(found.to_json()) == found
    assert (address_key(found), found.channel) == (text, Channel.CHAT)
