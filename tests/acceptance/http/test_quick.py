"""The usual request has a quick way through the door: nobody outside can tell it from the ordinary one."""

import dataclasses
import json

import pytest
import structlog

from notifier.http import quick
from notifier.storage import api_keys
from notifier.telemetry.metrics import REQUEST_SECONDS, REQUESTS
from tests.acceptance.http.conftest import CONFIG

BODY = json.dumps(
    {
        "channel": "email",
        "to": {"email": "ada@example.com"},
        "content": {"subject": "Hi: you", "text": 'She said: "well"'},
        "reference": "o-1",
    }
)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def config():
    return dataclasses.replace(CONFIG, key_ttl=60.0)


@pytest.fixture
def taken(monkeypatch):
    """The quick way's answers, as they are made."""
    made = []

    class Noted(quick.QuickAnswer):
        def __init__(self, *given, **more):
            made.append(self)
            super().__init__(*given, **more)

    monkeypatch.setattr(quick, "QuickAnswer", Noted)
    return made


async def told(door, headers, body=BODY):
    """An answer with what was logged and counted for it, but for what is another each time."""
    list(door.tally.take())
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        answer = await door.post(body, headers=headers)
    document = {
        name: value
        for name, value in answer.json().items()
        if name not in {"id", "created_at", "expires_at", "links"}
    }
    named = {name.title(): value for name, value in answer.headers.items()}
    location, date, length = named.pop("Location", None), named.pop("Date"), named.pop("Content-Length")
    assert location == (f"/v1/notifications/{answer.json()['id']}" if answer.status == 202 else None)
    assert date.endswith(" GMT")
    assert int(length) == len(answer.body)
    lines = [{**line, "duration_ms": line["duration_ms"] >= 0} for line in logs]
    counted = [
        (metric, labels) for metric, labels, _ in door.tally.take() if metric in {REQUESTS, REQUEST_SECONDS}
    ]
    return answer.status, document, named, lines, counted


@pytest.mark.parametrize(
    "headers",
    [{"X-Request-Id": "mine"}, {"X-Request-Id": "mine", "traceparent": TRACE, "Idempotency-Key": "k"}],
)
async def test_both_ways_answer_log_and_count_the_same(door, taken, headers):
    ordinary = await told(door, headers)
    assert not taken, "its key was not looked up before"
    await door.post(BODY)
    assert len(taken) == 1
    fast = await told(door, headers)
    assert len(taken) == 2
    if "Idempotency-Key" in headers:
        assert fast[2].pop("Idempotency-Replayed") == "true"
    assert fast == ordinary


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, BODY.replace("ada@", "ada")),
        ({}, BODY.replace('"reference"', '"channel": "sms", "reference"')),
        ({}, BODY.replace("Hi", "\\u0000")),
        ({}, "{"),
        ({}, ""),
        ({"Content-Type": "text/plain"}, BODY),
        ({"Content-Encoding": "gzip"}, BODY),
        ({"Idempotency-Key": "ä"}, BODY),
    ],
)
async def test_what_is_refused_is_refused_the_same_with_a_key_just_looked_up(door, taken, headers, body):
    named = {"X-Request-Id": "mine", **headers}
    ordinary = await told(door, named, body)
    await door.post(BODY)
    assert await told(door, named, body) == ordinary
    assert ordinary[0] >= 400
    assert len(taken) == 1


async def test_what_can_not_be_kept_is_told_and_timed_from_its_beginning(door, taken):
    await door.post(BODY)
    await door.post(BODY)
    assert len(taken) == 1
    door.lose_storage()
    status, document, _, lines, _ = await told(door, {})
    assert (status, document["code"]) == (503, "unavailable")
    assert [line["event"] for line in lines if line["event"] == "http_request"] == ["http_request"]
    door.find_storage()


async def test_a_key_without_the_scope_has_no_quick_way(door, taken):
    reader = door.new_key(scopes=("read",))
    answers = [await door.post(BODY, key=reader) for _ in range(2)]
    assert [one.status for one in answers] == [403, 403]
    assert not taken


async def test_a_revoked_key_has_no_quick_way_once_its_row_is_asked_for_again(door, taken):
    """It is believed for `ttl` at most, half of it before storage is asked again (promise 16)."""
    await door.post(BODY)
    await door.post(BODY)
    assert len(taken) == 1
    key_id = door.key.split("_")[2]
    api_keys.revoke(door.engine, key_id)
    ring = door.app[quick.KEYS]
    for found in ring._rows._answers.values():
        found.until = 0.0
    assert (await door.post(BODY)).status == 401
    assert (await door.post(BODY)).status == 401
    assert len(taken) == 1
