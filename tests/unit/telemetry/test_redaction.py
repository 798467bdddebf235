"""No address, content or secret gets through to a log, whatever it stands in."""

import json
import math
import time
from datetime import UTC, datetime

import pytest

from notifier.telemetry.redaction import LONGEST, clean, redact

SECRETS = [
    "nk_live_ab12cd34_Zm9vYmFyYmF6cXV4",
    "nk_test_ab12cd34_Zm9vYmFyYmF6cXV4",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "ada.lovelace@example.com",
    "ada+tag@xn--bcher-kva.example",
    "ädä@bücher.example",
    '"ada lovelace"@example.com',
    "ada%40example.com",
    "root@localhost",
    "+447700900123",
    "+44 7700 900123",
    "+1 (555) 010-0199",
    "+447700900123+447700900123",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQ\nabc\n-----END PRIVATE KEY-----",
    "-----BEGIN EC PRIVATE KEY-----\nMIIEvQ",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "around", ["{}", "to {}: refused", "<{}>", "x={},y", "['{}']", '{{"a":"{}"}}', "({})"]
)
def test_a_secret_is_found_wherever_it_stands(secret, around):
    shown = clean(around.format(secret))
    assert secret not in shown
    assert not any(
        part in shown for part in ("Zm9v", "MfKQ", "lovelace", "example", "7700", "010", "MIIE", "root")
    )


@pytest.mark.parametrize(
    "text",
    [
        "Bearer abc.def-ghi",
        "authorization: bearer   abc.def-ghi",
        "Basic YTpiYWJj",
        "Authorization: basic YTpiYWJj",
    ],
)
def test_credentials_of_a_header_are_found(text):
    assert "[token]" in clean(text)
    assert "abc.def" not in clean(text)
    assert "YTpi" not in clean(text)


@pytest.mark.parametrize(
    "text",
    [
        repr({"token": "s3cr3t mark"}),
        repr({"token": b"s3cr3t mark"}),
        json.dumps({"api_key": "s3cr3t mark"}),
        json.dumps(json.dumps({"password": "s3cr3tmark"})),
        "Account(name='a', client_secret='s3cr3t mark')",
        "GET /v2/send?access_token=s3cr3t-mark&to=1",
        "apiKey: 's3cr3t mark'",
    ],
)
def test_a_secret_with_its_name_in_a_text_is_found(text):
    """As an exception or a library says it: a mapping's or an object's own words, a query."""
    assert "s3cr3t" not in clean(text)
    assert "[secret]" in clean(text)


@pytest.mark.parametrize("text", ["token: expired", "InvalidProviderToken", "no such key", "password = ?"])
def test_what_only_speaks_of_a_secret_stays(text):
    assert clean(text) == text


@pytest.mark.parametrize(
    "key",
    [b"token", bytearray(b"push_token").decode(), "pushToken", "apiKey", "Api Key", "api.key", " token", "auth",
     "clientSecret", "x" * 200 + "_token"],
)  # fmt: skip
def test_a_secret_s_name_is_known_however_it_is_written(key):
    assert "s3cr3t" not in str(redact({"event": "e", "headers": {key: "s3cr3t"}}))


@pytest.mark.parametrize("secret", ["ada.lovelace@example.com", "token='s3cr3t-mark'", "+44 7700 900123"])
def test_a_cut_never_uncovers_the_beginning_of_what_it_cuts(secret):
    for kept in range(1, len(secret)):
        shown = clean("x" * (LONGEST - kept - 1) + " " + secret)
        assert secret[:kept] not in shown or kept < 8, shown[-40:]


def test_the_user_of_a_url_is_found():
    assert clean("at amqp://app:hunter2@mq:5672/v failed") == "at amqp://***@mq:5672/v failed"
    assert "hunter2" not in clean("amqp://app:hunter2@x@mq/")


@pytest.mark.parametrize(
    "text",
    [
        "attempt_deferred",
        "ntf_0198b2c2-1111-7abc-8def-0123456789ab",
        "2027-01-01T09:00:00+10:00",
        "1 + 2 = 3",
        "https://example.com/path?x=1",
        "basic setup",
        "http://127.0.0.1:8080/",
    ],
)
def test_what_is_no_secret_stays(text):
    assert clean(text) == text


@pytest.mark.parametrize(
    "key",
    [
        "recipient",
        "to",
        "Email",
        "phone",
        "address",
        "subject",
        "body",
        "text",
        "html",
        "content",
        "token",
        "key",
        "password",
        "secret",
        "Authorization",
        "api_key",
        "X-Api-Key",
        "push_token",
        "from_address",
        "smtp_password",
    ],
)
def test_the_name_of_a_key_is_enough(key):
    assert redact({"event": "x", key: "plain"})[key] == "***"
    assert redact({"event": "x", "request": {"inner": [{key: ["plain"]}]}})["request"] == {
        "inner": [{key: "***"}]
    }


def test_ordinary_facts_stay_as_they_are():
    event = {
        "event": "attempt_deferred",
        "attempt": 3,
        "ok": True,
        "wait": 1.5,
        "none": None,
        "lanes": ["a", "b"],
    }
    assert redact(event) == event


def test_secrets_are_found_inside_values_and_objects():
    class Thing:
        def __str__(self) -> str:
            return "Thing(ada@example.com)"

    shown = redact(
        {"event": "ada@example.com", "list": ["ada@example.com"], "error": ValueError("ada@example.com")}
    )
    assert "ada" not in str(shown)
    assert redact({"thing": Thing()}) == {"thing": "Thing([address])"}
    assert "ada" not in str(redact({"map": {"ada@example.com": 1}}))
    assert redact({"raw": b"ada@example.com"}) == {"raw": "<15 bytes>"}


def test_what_stands_too_deep_is_left_out_and_never_written_as_text():
    deep: object = {"to": "plain words"}
    for _ in range(6):
        deep = {"k": [deep]}
    assert "plain words" not in str(redact({"event": "x", "deep": deep}))
    assert redact({"a": {"b": {"c": {"d": {"to": "plain words"}}}}}) == {
        "a": {"b": {"c": {"d": "<dict of 1>"}}}
    }


def test_any_value_can_be_rendered():
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError

    loop: list[object] = []
    loop.append(loop)
    shown = redact(
        {"broken": Broken(), "nan": math.nan, "loop": loop, "at": datetime(2027, 1, 1, tzinfo=UTC)}
    )
    assert (shown["broken"], shown["nan"], shown["at"]) == ("<Broken>", "nan", "2027-01-01 00:00:00+00:00")
    assert len(redact({str(number): 1 for number in range(1000)})) == 100


def test_long_texts_are_cut():
    assert len(clean("x" * 10 * LONGEST)) == LONGEST + 1


@pytest.mark.parametrize(
    "evil",
    ["a" * 9999, "@" * 9999, "+1" * 5000, "://" * 3333, '"' * 9999, "+1 " * 3333, "-----BEGIN A" * 800],
)
def test_no_text_makes_the_search_slow(evil):
    started = time.perf_counter()
    clean(evil + "@")
    assert time.perf_counter() - started < 10
