"""Content and options: every mistake named at once, with its pointer and what is allowed."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.domain.content import MAX_CHAT_TEXT, check_content, check_options, push_payload_size
from notifier.domain.lanes import Channel
from notifier.domain.notification import Content
from notifier.domain.options import ALLOWED_HEADERS, MAX_ERRORS

EMAIL, SMS, PUSH, CHAT = Channel


def found(channel, **fields):
    return {(error.pointer, error.code) for error in check_content(channel, Content(**fields))}


@pytest.mark.parametrize(
    ("channel", "fields"),
    [
        (EMAIL, {"subject": "Hi", "text": "Hello"}),
        (EMAIL, {"subject": "Hi", "html": "<b>Hello</b>"}),
        (EMAIL, {"subject": "Hi", "text": "Hello\r\n\tthere", "html": "<b>Hello</b>"}),
        (EMAIL, {"subject": "👩‍💻 שלום e\u0301", "text": "x"}),
        (EMAIL, {"subject": "x" * 255, "text": "x"}),
        (SMS, {"text": "123456"}),
        (SMS, {"text": "a" * 1530}),
        (SMS, {"text": "ж" * 670}),
        (PUSH, {"text": "Hello"}),
        (PUSH, {"title": "Hi", "text": "Hello\nthere"}),
    ],
)
def test_good_content_passes(channel, fields):
    assert found(channel, **fields) == set()


@pytest.mark.parametrize(
    ("channel", "fields", "expected"),
    [
        (EMAIL, {}, {("/subject", "required"), ("/text", "required")}),
        (EMAIL, {"subject": "Hi"}, {("/text", "required")}),
        (EMAIL, {"text": "x"}, {("/subject", "required")}),
        (EMAIL, {"subject": "Hi", "text": "x", "title": "y"}, {("/title", "not_allowed")}),
        (EMAIL, {"subject": " ", "text": "\u200b", "html": ""}, {(f"/{f}", "blank") for f in ("subject", "text", "html")}),
        (EMAIL, {"subject": "Hi\r\nBcc: x", "text": "x"}, {("/subject", "control_characters")}),
        (EMAIL, {"subject": "Hi\u2028x", "text": "x"}, {("/subject", "control_characters")}),
        (EMAIL, {"subject": "Hi\tx", "text": "x"}, {("/subject", "control_characters")}),
        (EMAIL, {"subject": "x" * 256, "text": "x"}, {("/subject", "too_long")}),
        (EMAIL, {"subject": "😀" * 250, "text": "x"}, {("/subject", "too_long")}),
        (EMAIL, {"subject": "\ud800", "text": "a\0b"}, {("/subject", "invalid_text"), ("/text", "invalid_text")}),
        (SMS, {}, {("/text", "required")}),
        (SMS, {"text": "\ufeff\u2060 \n"}, {("/text", "blank")}),
        (SMS, {"text": "a" * 1531}, {("/text", "too_long")}),
        (SMS, {"text": "ж" * 671}, {("/text", "too_long")}),
        (SMS, {"text": "x", "subject": "y", "html": "z"}, {("/subject", "not_allowed"), ("/html", "not_allowed")}),
        (PUSH, {}, {("/text", "required")}),
        (PUSH, {"title": "x"}, {("/text", "required")}),
        (PUSH, {"title": "a\nb", "text": "x"}, {("/title", "control_characters")}),
        (PUSH, {"text": "x" * 4096}, {("/text", "too_long")}),
        (PUSH, {"text": "x", "html": "y"}, {("/html", "not_allowed")}),
        (PUSH, {"text": "\u3164\u115f\u2800"}, {("/text", "blank")}),
    ],
)  # fmt: skip
def test_everything_wrong_is_named_at_once(channel, fields, expected):
    assert found(channel, **fields) == expected


def test_a_long_text_message_hears_its_count():
    (error,) = check_content(SMS, Content(text="ж" * 671))
    assert "11 segments as ucs2" in error.detail


def test_a_field_of_another_channel_hears_what_is_allowed():
    (error,) = check_content(EMAIL, Content(subject="x", text="x", title="y"))
    assert error.detail == "email takes only subject, text, html"


def test_the_push_payload_is_measured_to_the_byte():
    """4,096 bytes pass, one more does not; letters count by their bytes, data counts too."""
    room = 4096 - push_payload_size(Content(text=""))
    assert check_content(PUSH, Content(text="x" * room)) == []
    assert len(check_content(PUSH, Content(text="x" * (room + 1)))) == 1
    assert len(check_content(PUSH, Content(text="ж" * (room // 2 + 1)))) == 1
    options = {"push": {"data": {"key": "v" * 100}}}
    assert len(check_content(PUSH, Content(text="x" * (room - 100)), options)) == 1
    assert check_content(PUSH, Content(text="x" * (room - 200)), options) == []


def test_the_measured_form_is_never_shorter_than_that_of_apns():
    for data in ({}, {"a": "b"}, {str(n): "x" for n in range(50)}):
        apns = {"aps": {"alert": {"title": "t", "body": "b"}}, **data}
        size = len(json.dumps(apns, separators=(",", ":")))
        assert push_payload_size(Content(title="t", text="b"), {"push": {"data": data}}) >= size


@settings(deadline=None)
@given(
    st.sampled_from(Channel),
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("subject", "title", "text", "html"), st.text(max_size=50))
    ),
)
def test_any_content_is_judged_without_an_exception(channel, fields):
    """Mistakes point at real fields, and one field hears one thing."""
    pointers = [error.pointer for error in check_content(channel, Content(**fields))]
    assert set(pointers) <= {"/subject", "/title", "/text", "/html"}
    assert len(pointers) == len(set(pointers))


def wrong(channel, options):
    return [(error.pointer, error.code) for error in check_options(channel, options)]


@pytest.mark.parametrize(
    ("channel", "options"),
    [
        (EMAIL, {}),
        (EMAIL, {"email": {}}),
        (
            EMAIL,
            {
                "email": {
                    "reply_to": "ada@example.com",
                    "headers": {"X-Tag": "a: b", "list-id": "<l.example.com>"},
                }
            },
        ),
        (EMAIL, {"email": {"headers": {"X-" + "a" * 40: "é" * 499}}}),
        (EMAIL, {"email": {"headers": {f"X-{n}": "v" for n in range(20)}}}),
        (EMAIL, {"email": {"headers": dict.fromkeys(ALLOWED_HEADERS, "v")}}),
        (SMS, {"sms": {"sender_id": "ACME 24"}}),
        (SMS, {"sms": {"sender_id": "A"}}),
        (SMS, {"sms": {"sender_id": "+14155552671"}}),
        (PUSH, {"push": {"collapse_key": "x" * 64, "data": {"a": "", "b/c~d": "\n"}}}),
    ],
)
def test_good_options_pass(channel, options):
    assert wrong(channel, options) == []


_HEADERS = "/email/headers"


@pytest.mark.parametrize(
    ("channel", "options", "expected"),
    [
        (EMAIL, None, [("", "invalid_type")]),
        (EMAIL, [], [("", "invalid_type")]),
        (EMAIL, {"email": None}, [("/email", "invalid_type")]),
        (EMAIL, {"sms": {}, "fax": {}}, [("/sms", "not_allowed"), ("/fax", "unknown_field")]),
        (EMAIL, {"email": {"from": "a@x.com"}}, [("/email/from", "not_supported")]),
        (EMAIL, {"email": {"sender_id": "x"}}, [("/email/sender_id", "unknown_field")]),
        (EMAIL, {"email": {"reply_to": "a@x.com, b@y.com"}}, [("/email/reply_to", "invalid_address")]),
        (EMAIL, {"email": {"reply_to": "a@x.com\r\nBcc: b"}}, [("/email/reply_to", "invalid_address")]),
        (EMAIL, {"email": {"reply_to": "a@bücher.example"}}, [("/email/reply_to", "invalid_address")]),
        (EMAIL, {"email": {"reply_to": 5}}, [("/email/reply_to", "invalid_type")]),
        (EMAIL, {"email": {"headers": []}}, [(_HEADERS, "invalid_type")]),
        (EMAIL, {"email": {"headers": {f"X-{n}": "v" for n in range(21)}}}, [(_HEADERS, "too_many")]),
        (EMAIL, {"email": {"headers": {"X-A": "1", "x-a": "2"}}}, [(f"{_HEADERS}/x-a", "duplicate")]),
        (EMAIL, {"email": {"headers": {"X-A": "a\r\nBcc: b"}}}, [(f"{_HEADERS}/X-A", "invalid_header")]),
        (EMAIL, {"email": {"headers": {"X-A": 5}}}, [(f"{_HEADERS}/X-A", "invalid_header")]),
        (EMAIL, {"email": {"headers": {"X-A": ""}}}, [(f"{_HEADERS}/X-A", "invalid_header")]),
        (EMAIL, {"email": {"headers": {"X-A": "\ud800"}}}, [(f"{_HEADERS}/X-A", "invalid_header")]),
        (EMAIL, {"email": {"headers": {"X-A": "é" * 500}}}, [(f"{_HEADERS}/X-A", "invalid_header")]),
        (EMAIL, {"email": {"headers": {"X-A\r\nBcc": "b"}}}, [(_HEADERS, "not_allowed")]),
        (EMAIL, {"email": {"headers": {"X-": "b"}}}, [(f"{_HEADERS}/X-", "not_allowed")]),
        (EMAIL, {"email": {"headers": {"": "b"}}}, [(f"{_HEADERS}/", "not_allowed")]),
        (EMAIL, {"email": {"headers": {"X-" + "a" * 41: "b"}}}, [(f"{_HEADERS}/X-{'a' * 41}", "not_allowed")]),
        (EMAIL, {"email": {"headers": {"a/b~c": "b"}}}, [(f"{_HEADERS}/a~1b~0c", "not_allowed")]),
        (SMS, {"sms": {"sender_id": "x" * 12}}, [("/sms/sender_id", "invalid_sender")]),
        (SMS, {"sms": {"sender_id": "12345"}}, [("/sms/sender_id", "invalid_sender")]),
        (SMS, {"sms": {"sender_id": " ACME"}}, [("/sms/sender_id", "invalid_sender")]),
        (SMS, {"sms": {"sender_id": "ACMÉ"}}, [("/sms/sender_id", "invalid_sender")]),
        (SMS, {"sms": {"sender_id": None}}, [("/sms/sender_id", "invalid_sender")]),
        (PUSH, {"push": {"collapse_key": ""}}, [("/push/collapse_key", "invalid_collapse_key")]),
        (PUSH, {"push": {"collapse_key": "x" * 65}}, [("/push/collapse_key", "invalid_collapse_key")]),
        (PUSH, {"push": {"collapse_key": "a\nb"}}, [("/push/collapse_key", "invalid_collapse_key")]),
        (PUSH, {"push": {"data": "x"}}, [("/push/data", "invalid_type")]),
        (PUSH, {"push": {"data": {"a": {"b": "c"}, "d": 5}}}, [("/push/data/a", "invalid_type"), ("/push/data/d", "invalid_type")]),
        (PUSH, {"push": {"data": {"aps": "x", "google.x": "y"}}}, [("/push/data/aps", "reserved"), ("/push/data/google.x", "reserved")]),
        (PUSH, {"push": {"data": {"": "x", "a\0": "y"}}}, [("/push/data", "invalid_text")] * 2),
    ],
)  # fmt: skip
def test_every_wrong_option_is_named(channel, options, expected):
    assert wrong(channel, options) == expected


@pytest.mark.parametrize(
    "name",
    ["From", "to", "Cc", "Bcc", "Subject", "Sender", "Reply-To", "DKIM-Signature", "Return-Path", "Received",
     "Content-Type", "MIME-Version", "Message-ID", "Date", "X_A", "X-Ä", "X-A:", "X-A b", "\u212a-A"],
)  # fmt: skip
def test_no_header_that_names_people_routes_or_the_body_can_be_set(name):
    (error,) = check_options(EMAIL, {"email": {"headers": {name: "v"}}})
    assert error.code == "not_allowed"
    assert "List-Id" in error.detail


def test_thousands_of_mistakes_make_a_short_answer():
    assert len(check_options(PUSH, {"push": {"data": dict.fromkeys(map(str, range(9999)), 5)}})) == MAX_ERRORS


def test_a_long_name_is_not_repeated():
    (error,) = check_options(PUSH, {"push": {"x" * 100_000: "v"}})
    assert (error.pointer, len(error.detail) < 100) == ("/push", True)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
_OPTION = st.sampled_from(["reply_to", "headers", "sender_id", "collapse_key", "data", "format", "from"])


@settings(deadline=None)
@given(
    st.sampled_from(Channel),
    st.dictionaries(st.sampled_from(Channel), st.dictionaries(_OPTION, _JSON) | _JSON),
)
def test_any_json_is_judged_without_an_exception(channel, options):
    """Only the channel's own key can pass."""
    errors = check_options(channel, options)
    assert errors or set(options) <= {channel}


def test_a_chat_message_is_a_text_and_maybe_a_title():
    """As long as services take in one message."""
    good = Content(title="Deploy", text="x" * MAX_CHAT_TEXT)
    assert check_content(CHAT, good) == []
    found = check_content(CHAT, Content(title="two\nlines", text="x" * (MAX_CHAT_TEXT + 1), subject="no"))
    assert {(one.pointer, one.code) for one in found} == {
        ("/subject", "not_allowed"),
        ("/title", "control_characters"),
        ("/text", "too_long"),
    }
    assert [one.pointer for one in check_content(CHAT, Content(title="alone"))] == ["/text"]


def test_a_chats_text_is_plain_or_markdown():
    assert wrong(CHAT, {"chat": {"format": "markdown"}}) == wrong(CHAT, {"chat": {"format": "plain"}}) == []
    assert wrong(CHAT, {"chat": {"format": "html"}}) == [("/chat/format", "not_allowed")]
    assert wrong(CHAT, {"push": {}}) == [("/push", "not_allowed")]
