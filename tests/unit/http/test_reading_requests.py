"""From bytes to a notification: the quick way and the slow one agree, and nothing else gets through."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from notifier.domain.errors import InvalidFields
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.lifecycle import Mode, OnUncertain
from notifier.domain.recipients import Platform
from notifier.http import schemas
from notifier.http.callers import Caller
from notifier.http.checking import check_shape
from notifier.http.compose import Asked, compose
from notifier.http.config import HttpConfig
from notifier.http.problems import Problem
from notifier.http.schemas import SendRequest
from notifier.http.sending import digest_of, read_request
from notifier.http.times import parse_moment, parse_send_at, shown

NOW = datetime(2027, 1, 1, tzinfo=UTC)
ASKED = Asked(
    caller=Caller(key_id="abcdefgh", tenant="acme", scopes=frozenset({"send"})),
    config=HttpConfig(providers={Channel.EMAIL: ("smtp",)}),
    now=NOW,
    request_id="r-1",
    traceparent="00-1-2-01",
)
FULL = {
    "channel": "email",
    "priority": "high",
    "to": {"email": "ada@example.com", "name": "Ada"},
    "content": {"subject": "s", "text": "t", "html": "<b>t</b>"},
    "send_at": "2027-01-01T01:00:00+00:00",
    "ttl": 300,
    "topic": "billing",
    "reference": "order-42",
    "tags": ["a"],
    "metadata": {"k": "v"},
    "on_uncertain": "hold",
    "provider": "smtp",
    "options": {"email": {"reply_to": "b@example.com", "headers": {"X-A": "b"}}},
}

values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text(max_size=8),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(some.sampled_from([*FULL, "email", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


def read(value, asked=ASKED):
    fields, errors = read_request(json.dumps(value).encode())
    return compose(fields, asked, errors)


def test_every_field_arrives():
    """Nothing of a request is dropped on its way."""
    made = read(FULL)
    assert made.lane == Lane(Channel.EMAIL, Priority.HIGH)
    assert made.recipient.to_json() == FULL["to"]
    assert made.content.to_json() == FULL["content"]
    assert made.send_at == NOW + timedelta(hours=1)
    assert (made.ttl, made.topic, made.reference) == (300, "billing", "order-42")
    assert (made.tags, made.metadata) == (("a",), {"k": "v"})
    assert (made.on_uncertain, made.provider) == (OnUncertain.HOLD, "smtp")
    assert made.options == FULL["options"]
    assert (made.tenant, made.api_key) == ("acme", "abcdefgh")
    assert (made.request_id, made.traceparent) == ("r-1", "00-1-2-01")


def test_defaults_are_those_of_the_interface():
    """Priority medium, resend when uncertain, now, the priority's own ttl."""
    made = read({name: FULL[name] for name in ("channel", "to", "content")})
    assert made.lane.priority is Priority.MEDIUM
    assert made.on_uncertain is OnUncertain.RESEND
    assert (made.send_at, made.ttl, made.provider, made.units) == (None, None, None, 1)


def test_the_slow_way_reads_the_same():
    """A request that needs the second look (a null field of later) becomes the same notification."""
    assert read(FULL | {"template": None}) == read(FULL)


@given(some.dictionaries(some.sampled_from([*FULL, "template", "x"]), values))
def test_no_json_object_makes_another_error(changes):
    """Whatever stands in the fields: a notification, wrong fields, or a problem; and both ways agree."""
    body = json.dumps(FULL | changes).encode()
    try:
        quick = compose(*_read(body))
    except (InvalidFields, Problem) as error:
        quick = type(error)
    try:
        fields, errors = check_shape(json.loads(body), SendRequest)
        slow = compose(fields, ASKED, errors)
    except (InvalidFields, Problem) as error:
        slow = type(error)
    if quick is not Problem:
        assert quick == slow


def _read(body):
    fields, errors = read_request(body)
    return fields, ASKED, errors


@given(some.binary(max_size=200))
def test_no_bytes_make_another_error(body):
    """Fuzz: bytes that are no request are a problem or wrong fields."""
    with pytest.raises((InvalidFields, Problem)):
        compose(*_read(body))


def test_every_field_of_the_interface_is_known_or_said_to_be_later():
    """api.md's example: no field of it is unknown."""
    known = set(SendRequest.__struct_fields__) | schemas.NOT_SUPPORTED["SendRequest"]
    assert known == set(FULL) | {"template", "dedup"}


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2027-01-01T00:00:00Z", NOW),
        ("2027-01-01t02:00:00.000+02:00", NOW),
        ("2026-12-31T23:30:00.5-00:30", NOW + timedelta(milliseconds=500)),
        ("2027-01-01T00:00:00.123456789Z", NOW + timedelta(microseconds=123456)),
    ],
)
def test_times_are_read_as_rfc_3339(text, moment):
    """Any zone, any fraction; held in UTC."""
    assert parse_moment(text) == moment


def test_send_at_within_five_minutes_past_means_now():
    """On both sides of each bound."""
    assert parse_send_at("2026-12-31T23:55:00Z", NOW) is None
    assert parse_send_at("2027-01-01T00:00:01Z", NOW) == NOW + timedelta(seconds=1)
    assert parse_send_at("2028-01-02T00:00:00Z", NOW) == NOW + timedelta(days=366)
    for text in ("2026-12-31T23:54:59Z", "2028-01-02T00:00:01Z"):
        with pytest.raises(Exception, match="must"):
            parse_send_at(text, NOW)


def test_times_are_shown_in_utc_with_milliseconds():
    """One form for all answers."""
    assert shown(NOW + timedelta(microseconds=1999)) == "2027-01-01T00:00:00.001Z"
    assert shown(None) is None


def test_the_digest_of_a_request_covers_body_and_flags():
    """And is the same for the same."""
    assert digest_of(b"a", {"x": True, "y": False}) == digest_of(b"a", {"y": False, "x": True})
    digests = {
        digest_of(b"a", {}),
        digest_of(b"b", {}),
        digest_of(b"a", {"x": True}),
        digest_of(b"a", {"x": False}),
    }
    assert len(digests) == 4


def test_reading_a_usual_request_is_quick():
    """No quadratic rule: a body sixteen times as large takes at most about sixteen times as long."""
    import time

    def cost(size):
        body = json.dumps(FULL | {"content": {"subject": "s", "text": "é" * size}}).encode()
        times = []
        for _ in range(5):
            began = time.perf_counter()
            compose(*_read(body))
            times.append(time.perf_counter() - began)
        return min(times)

    assert cost(160_000) < 60 * max(cost(10_000), 0.0005)


TWO_PLATFORMS = msgspec.structs.replace(
    ASKED,
    config=HttpConfig(
        providers={Channel.PUSH: ("google", "browsers", "spare")},
        platforms={
            "google": frozenset({Platform.FCM}),
            "browsers": frozenset({Platform.WEBPUSH}),
            "spare": frozenset({Platform.FCM}),
        },
    ),
)


def push_to(platform, **more):
    to = {"push_token": "a" * 64, "platform": platform}
    return {"channel": "push", "to": to, "content": {"text": "t"}, **more}


def test_a_platform_that_no_provider_serves_is_refused_at_the_door():
    """Naming the field and what would do; it would never be sent."""
    with pytest.raises(InvalidFields) as refused:
        read(push_to("apns", provider="google"), TWO_PLATFORMS)
    (error,) = refused.value.errors
    assert (error.pointer, error.code) == ("/to/platform", "not_allowed")
    assert error.detail == "must be one of fcm, webpush: no provider is configured for apns"
    assert read(push_to("fcm"), TWO_PLATFORMS).recipient.platform is Platform.FCM


def test_a_provider_of_another_platform_is_refused_at_the_door():
    """An FCM token is of no use to a web push service."""
    with pytest.raises(InvalidFields) as refused:
        read(push_to("fcm", provider="browsers"), TWO_PLATFORMS)
    (error,) = refused.value.errors
    assert (error.pointer, error.detail) == ("/provider", "must be one of google, spare")
    assert read(push_to("fcm", provider="spare"), TWO_PLATFORMS).provider == "spare"


def test_a_test_key_may_send_to_every_platform():
    """The simulator serves them all; a provider that it names must serve the platform, as for a live key."""
    caller = dataclasses.replace(ASKED.caller, mode=Mode.TEST)
    asked = msgspec.structs.replace(TWO_PLATFORMS, caller=caller)
    for platform in Platform:
        to = {"push_token": "simulator-bounce", "platform": platform}
        assert read(push_to(platform, to=to), asked).mode is Mode.TEST
    assert read(push_to("apns", provider="simulator"), asked).provider == "simulator"
    with pytest.raises(InvalidFields) as refused:
        read(push_to("fcm", provider="browsers"), asked)
    (error,) = refused.value.errors
    assert (error.pointer, error.detail) == ("/provider", "must be one of google, spare, simulator")
