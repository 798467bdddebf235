"""`POST /v1/notifications`: what is answered 202 is kept, once, and looks as documented."""

import asyncio
import dataclasses
import gzip
import json
import zlib
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from notifier.domain.lanes import Channel, Priority
from notifier.http.answer_types import Accepted, DryRun, Notification, Problem
from tests.acceptance.http.conftest import CONFIG

EMAIL = {
    "channel": "email",
    "priority": "high",
    "to": {"email": "ada@example.com"},
    "content": {"subject": "Your code", "text": "123456"},
}


@pytest.fixture(params=[0.0, 60.0], ids=["ordinary", "quick"])
def config(request):
    """Both ways through the door: with a key that was looked up a moment ago, and with one that never is."""
    return dataclasses.replace(CONFIG, key_ttl=request.param)


@pytest.fixture(autouse=True)
async def known(door, config):
    """The door knows its key, where it may."""
    if config.key_ttl:
        await door.ask("GET", "/v1/notifications")


def body(**changes):
    return json.dumps(EMAIL | changes).encode()


async def test_an_accepted_notification_is_kept_and_readable(door):
    """202 has id, links and times; the row stands; GET shows the same thing."""
    answer = await door.post(body(reference="order-42", tags=["a"], metadata={"k": "v"}))
    assert answer.status == 202
    accepted = msgspec.json.decode(answer.body, type=Accepted)
    assert answer.headers["Location"] == accepted.links.self == f"/v1/notifications/{accepted.id}"
    assert (accepted.status, accepted.reference) == ("queued", "order-42")
    assert door.rows() == 1
    shown = await door.ask("GET", accepted.links.self)
    found = msgspec.json.decode(shown.body, type=Notification)
    assert (found.id, found.reference, found.tags, found.metadata) == (
        accepted.id,
        "order-42",
        ["a"],
        {"k": "v"},
    )
    assert found.timeline[0].event == "accepted"
    assert "ada@example.com" not in shown.body.decode()
    assert "123456" not in shown.body.decode()


@pytest.mark.parametrize(
    "sent",
    [
        {"channel": "sms", "to": {"phone": "+14155552671"}, "content": {"text": "hi"}},
        {
            "channel": "push",
            "to": {"push_token": "a" * 64, "platform": "apns"},
            "content": {"title": "t", "text": "hi"},
            "options": {"push": {"collapse_key": "k", "data": {"a": "b"}}},
        },
        EMAIL | {"options": {"email": {"reply_to": "b@example.com", "headers": {"X-A": "b"}}}},
        EMAIL | {"priority": None, "template": None, "provider": None, "send_at": None},
        EMAIL | {"provider": "smtp-spare", "on_uncertain": "hold", "topic": "billing", "ttl": 1},
    ],
)
async def test_what_the_interface_allows_is_accepted(door, sent):
    """Every channel, every option, and null for what is left out."""
    answer = await door.post(json.dumps(sent))
    assert (answer.status, door.rows()) == (202, 1), answer.body


async def test_a_future_send_at_is_scheduled_and_a_recent_one_is_now(door):
    """`send_at` ahead waits; one that has just passed means now."""
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    behind = (datetime.now(UTC) - timedelta(minutes=2)).isoformat()
    later = (await door.post(body(send_at=ahead, ttl=60))).json()
    now = (await door.post(body(send_at=behind))).json()
    assert later["status"] == "scheduled"
    ends = datetime.fromisoformat(later["expires_at"]) - datetime.fromisoformat(later["send_at"])
    assert ends == timedelta(seconds=60)
    assert (now["status"], now["send_at"]) == ("queued", None)


async def test_a_dry_run_checks_everything_and_keeps_nothing(door):
    """`?dry_run=true`: lane, provider and cost are told, no row is made; wrong fields are 422 as ever."""
    answer = await door.post(body(), path="/v1/notifications?dry_run=true")
    found = msgspec.json.decode(answer.body, type=DryRun)
    assert (answer.status, found.channel, found.priority, found.provider) == (
        200,
        "email",
        "high",
        "smtp-main",
    )
    wrong = await door.post(body(channel="fax"), path="/v1/notifications?dry_run=true&strict=true")
    assert wrong.status == 422
    assert door.rows() == 0


async def test_the_request_id_and_trace_go_into_the_row(door):
    """A plain X-Request-Id is taken over and answered; a traceparent is kept."""
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    answer = await door.post(body(), headers={"X-Request-Id": "my-id.1", "traceparent": trace})
    assert answer.headers["X-Request-Id"] == "my-id.1"
    shown = await door.ask("GET", answer.json()["links"]["self"])
    assert shown.json()["request_id"] == "my-id.1"
    with door.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT traceparent FROM notifications").scalar_one() == trace


@pytest.mark.parametrize("given", ["a b", "x" * 129, "a;b", "é"])
async def test_a_strange_request_id_is_replaced(door, given):
    """What could forge a log line is never taken over."""
    answer = await door.post(body(), headers={"X-Request-Id": given})
    assert answer.status == 202
    assert answer.headers["X-Request-Id"] != given
    assert answer.headers["X-Request-Id"].isalnum()


async def test_a_packed_body_is_unpacked(door):
    """gzip and deflate are read like plain JSON."""
    for coding, packed in (("gzip", gzip.compress(body())), ("deflate", zlib.compress(body()))):
        answer = await door.post(packed, headers={"Content-Encoding": coding})
        assert answer.status == 202, answer.body


async def test_a_key_reaches_only_its_channels_and_priorities(door):
    """403 for another channel and for a higher priority than the key allows; nothing is kept."""
    sms_only = door.new_key(channels=[Channel.SMS])
    low_only = door.new_key(highest_priority=Priority.LOW)
    for key in (sms_only, low_only):
        answer = await door.post(body(), key=key)
        problem = msgspec.json.decode(answer.body, type=Problem)
        assert (answer.status, problem.code) == (403, "forbidden")
    assert door.rows() == 0
    assert (await door.post(body(priority="low"), key=low_only)).status == 202


async def test_with_too_much_waiting_the_answer_says_when_to_return(door):
    """503 `backlog_full` with Retry-After, and nothing kept (promise 7)."""
    door.admission.level = type(door.admission.level)(pending=10**9)
    answer = await door.post(body())
    problem = msgspec.json.decode(answer.body, type=Problem)
    assert (answer.status, problem.code) == (503, "backlog_full")
    assert int(answer.headers["Retry-After"]) >= 1
    assert door.rows() == 0


async def test_the_same_key_gives_the_same_answer_to_all(door):
    """Promise 4: 100 copies at once make one row; every answer is the same bytes, the later ones marked."""
    headers = {"Idempotency-Key": "order-42"}
    answers = await asyncio.gather(*(door.post(body(), headers=headers) for _ in range(100)))
    assert {answer.status for answer in answers} == {202}
    assert len({answer.body for answer in answers}) == 1
    assert len({answer.headers["Location"] for answer in answers}) == 1
    replayed = [answer.headers.get("Idempotency-Replayed") for answer in answers]
    assert (replayed.count(None), replayed.count("true")) == (1, 99)
    assert door.rows() == 1


async def test_the_same_key_with_another_body_is_refused(door):
    """422 `idempotency_key_reused`; also when only a flag differs; another API key has its own."""
    headers = {"Idempotency-Key": "k"}
    assert (await door.post(body(), headers=headers)).status == 202
    other = await door.post(body(reference="x"), headers=headers)
    flagged = await door.post(body(), headers=headers, path="/v1/notifications?strict=true")
    for answer in (other, flagged):
        assert (answer.status, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert (await door.post(body(reference="x"), headers=headers, key=door.new_key())).status == 202


async def test_a_refused_request_does_not_use_up_its_key(door):
    """A request that failed validation or was turned away leaves the key free."""
    headers = {"Idempotency-Key": "k"}
    assert (await door.post(body(channel="fax"), headers=headers)).status == 422
    level = door.admission.level
    door.admission.level = type(level)(pending=10**9)
    assert (await door.post(body(), headers=headers)).status == 503
    door.admission.level = level
    answer = await door.post(body(), headers=headers)
    assert (answer.status, answer.headers.get("Idempotency-Replayed")) == (202, None)


async def test_a_replay_is_answered_even_when_its_time_is_past(door, monkeypatch):
    """The first answer is owed for 24 h, though `send_at` would be refused by now."""
    from notifier.http import compose, times

    ahead = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    headers = {"Idempotency-Key": "k"}
    first = await door.post(body(send_at=ahead), headers=headers)
    monkeypatch.setattr(
        compose, "parse_send_at", lambda text, now: times.parse_send_at(text, now + timedelta(hours=1))
    )
    again = await door.post(body(send_at=ahead), headers=headers)
    assert (again.status, again.body) == (202, first.body)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (await door.post(body(send_at=ahead), headers={"Idempotency-Key": "l"})).status == 422
