"""hypothesis over what reads settings and providers' answers, and over what keeps secrets out of logs."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from notifier.domain.errors import RenderError
from notifier.domain.outcomes import Answer, Deferred, Refused
from notifier.domain.segments import count_segments
from notifier.providers.email_headers import custom_header, mailbox, unstructured
from notifier.providers.masking import MAX_ANSWER
from notifier.providers.masking import masked as masked_answer
from notifier.providers.senders import parse_sender
from notifier.providers.smtp_codes import Stage, outcome_of, reply_of
from notifier.settings import SettingsError, load_settings
from notifier.settings.fields import Settings
from notifier.settings.names import PREFIX, variable
from notifier.settings.urls import (
    broker_url,
    database_url,
    leads_away,
    masked,
    provider_urls,
    weak_credentials,
)
from notifier.telemetry.redaction import LONGEST, MASK, clean, redact
from tests.catalogue.anything import bounded, clean_texts, texts, values

NOW = datetime(2027, 1, 1, tzinfo=UTC)
CANARY = "canary7f3a"
FIELDS = sorted(Settings.__dataclass_fields__)
SECRETS = ["database_url", "broker_url", "email_providers", "sms_providers", "push_providers"]

_schemes = st.sampled_from(
    ["", "sqlite", "postgresql", "amqp", "amqps", "smtp", "smtps", "smtp+starttls", "console", "ses"]
)
_parts = st.text(st.sampled_from("ab1.:/?#[]@!$&'()*+,;=%_ ~é\u2028"), max_size=12)
urls = st.builds(lambda scheme, *parts: f"{scheme}://{''.join(parts)}", _schemes, _parts, _parts, _parts)


# Settings.


@bounded(80)
@given(st.dictionaries(st.sampled_from(FIELDS), texts | urls, max_size=3), st.booleans())
def test_any_environment_is_settings_or_says_what_is_wrong(given_values, misspelt):
    """Total: every mistake by its variable's name; what is taken can be shown."""
    environ = {variable(name): text for name, text in given_values.items()}
    if misspelt:
        environ[f"{PREFIX}EMAIL_PROVIDER"] = "console://"
    try:
        found = load_settings(environ)
    except SettingsError as wrong:
        named = {name for name, _ in wrong.problems}
    else:
        named = set()
        assert not misspelt
        assert json.dumps(found.shown(), default=str)
    known = (
        {variable(name) for name in FIELDS} | environ.keys() | {f"{variable(name)}_FILE" for name in FIELDS}
    )
    assert named <= known


@bounded(200)
@given(st.sampled_from(SECRETS), _schemes, _parts, _parts)
def test_a_password_is_told_by_no_error_and_no_listing(name, scheme, before, after):
    """Wherever in a URL it stands as a password, whatever stands around it."""
    text = f"{scheme}://user:{CANARY}@{before}{after}"
    try:
        found = load_settings({variable(name): text})
    except SettingsError as wrong:
        told = str(wrong) + repr(wrong.problems)
    else:
        told = repr(found) + str(found.shown())
    assert CANARY not in told


@bounded(150)
@given(urls | texts)
def test_any_url_is_read_or_refused(text):
    """`ValueError` or a URL of the declared kind; what is taken is taken again as it is, and can be shown and judged."""
    for read in (database_url, broker_url, lambda one: " ".join(provider_urls(one))):
        with suppress(ValueError):
            taken = read(text)
            assert read(taken) == taken
            for one in taken.replace(";", " ").split() if read is not database_url else [taken]:
                assert isinstance(masked(one), str)
                assert leads_away(one) in {True, False}
                assert isinstance(weak_credentials(one), str | None)


# What providers answer.


@bounded(200)
@given(
    st.sampled_from(Stage),
    st.integers(-1, 1000),
    texts | st.from_regex(r"\A[245]\.\d{1,3}\.\d{1,3}( .{0,30})?\Z"),
    st.integers(0, 86_399),
)
@example(Stage.CONTENT, 454, "Throttling failure: daily message quota", 0)
def test_every_reply_has_one_meaning(stage, code, text, second):
    """Total; a 4yz is never the end, a 5yz is never tried again but for our own account's sake; waits are bounded."""
    outcome = outcome_of(stage, reply_of(code, text), Answer(), NOW + timedelta(seconds=second))
    assert isinstance(outcome, Deferred | Refused)
    if 400 <= code < 500:
        assert isinstance(outcome, Deferred)
    if isinstance(outcome, Deferred):
        assert outcome.not_before is None or 0 < outcome.not_before <= 86_400
        if 500 <= code < 600:
            assert outcome.reason == "auth_failed"


@bounded(200)
@given(
    texts,
    texts,
    st.sampled_from(
        [
            "ada@example.com",
            "ada%40example.com",
            "+447700900123",
            "nk_live_ab12cd34_Zm9vYmFy",
            f"whsec_{CANARY}",
        ]
    ),
)
def test_what_is_kept_of_an_answer_holds_nobodys_address(before, after, secret):
    """One line of at most 500 characters without the secret, and the same again when it is cleaned again."""
    found = masked_answer(f"{before} {secret} {after}", addresses=["ada"], secrets=[CANARY])
    assert secret not in found
    assert len(found) <= MAX_ANSWER
    assert "\n" not in found
    assert "\r" not in found


# What is logged.

_SECRET_TEXTS = [
    "ada.lovelace@example.com", "+447700900123", "nk_live_ab12cd34_Zm9vYmFyYmF6", "whsec_MfKQ9r8GKYqrTw", "Bearer abc.def-ghi",
    "amqp://app:hunter2@mq/", "-----BEGIN PRIVATE KEY-----\nMIIEvQ",
]  # fmt: skip
_SECRET_PARTS = ("lovelace", "7700900", "Zm9v", "MfKQ", "abc.def", "hunter2", "MIIE")
_SECRET_NAMES = [
    "to",
    "recipient",
    "subject",
    "Body",
    "api_key",
    "x-api-key",
    "password",
    "push_token",
    "from_address",
    "html",
]


@bounded(100)
@given(values, st.sampled_from(_SECRET_NAMES), st.lists(texts, max_size=3))
def test_no_value_of_a_secret_name_survives(value, name, path):
    """However deep it stands, whatever it is."""
    event = {name: {CANARY: [value, CANARY]}}
    for step in path:
        event = {f"k{step}": [event, 1]}
    told = json.dumps(redact({"event": "x", **event}))
    assert CANARY not in told


@bounded(100)
@given(st.sampled_from(_SECRET_TEXTS), clean_texts, clean_texts, values)
@example("+447700900123", "", "+10000000+10000000", None)
def test_no_secret_survives_in_a_text(secret, before, after, more):
    """With a blank around it, in a value, in a name, in an exception's text, in whatever tree."""
    text = f"{before} {secret} {after}"
    event = {"event": text, "error": ValueError(text), "tree": [more, {"n": text}], text: 1}
    told = json.dumps(redact(event), ensure_ascii=False)
    assert not [part for part in _SECRET_PARTS if part in told]
    assert clean(clean(text)) == clean(text)


@bounded(60)
@given(st.dictionaries(texts, values, max_size=5))
def test_any_event_can_be_logged(event):
    """Total, JSON, bounded, and the same again when it is redacted again."""
    shown = redact(event)
    text = json.dumps(shown)
    assert len(shown) <= len(event)
    assert all(len(value) <= LONGEST + 1 for value in shown.values() if isinstance(value, str))
    assert json.dumps(redact(json.loads(text))).count(MASK) >= text.count(MASK)


# Header lines.


@bounded(150)
@given(texts, texts)
@example("a\r\nBcc: x@y.z", "X-A")
@example("x" * 5000, "X-A")
def test_a_header_line_never_becomes_two(text, name):
    """Any text: a line that folds only before a blank, or `RenderError`; never a second header."""
    for make in (
        lambda: f"Subject: {unstructured(text)}",
        lambda: f"To: {mailbox('ada@example.com', text)}",
        lambda: f"To: {mailbox(text, None)}",
        lambda: custom_header("X-A", text),
        lambda: custom_header(name, text),
    ):
        with suppress(RenderError, UnicodeEncodeError):
            first, *rest = make().split("\r\n")
            assert ": " in first
            assert all(line[:1] == " " for line in rest)
            assert not any(mark in line for line in (first, *rest) for mark in "\r\n\0")


@bounded(200)
@given(
    texts
    | st.builds("{} <{}>".format, texts, texts)
    | st.builds("{}@{}".format, texts, st.sampled_from(["a.example", "localhost"]))
)
def test_any_sender_is_one_address_or_refused(text):
    """What is taken is one plain address with one name, and taken again."""
    with suppress(ValueError):
        found = parse_sender(text)
        assert found.address.isascii()
        assert found.address.count("@") == 1
        assert parse_sender(found.address).address == found.address
        mailbox(found.address, found.name)


@bounded(200)
@given(texts, texts)
def test_segments_grow_with_the_text(before, after):
    """Never fewer parts for more text of the same alphabet, and never none."""
    one, both = count_segments(before), count_segments(before + after)
    assert one.units >= 1
    if one.encoding == both.encoding:
        assert both.units >= one.units
        assert both.characters >= one.characters
