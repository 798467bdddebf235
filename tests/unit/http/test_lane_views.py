"""Joining what workers told: summed, the largest, the worst, the latest - whatever is missing."""

import uuid
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from notifier.domain.lanes import Lane
from notifier.http import (
    answer_types,
    failure_answers,
    lane_views,
    operator_event_answers,
    suppression_answers,
)
from notifier.http.examples import ANSWERS
from notifier.http.lane_views import Facts
from notifier.storage.lane_controls import Control
from notifier.storage.workers import Process

AT = datetime(2027, 1, 1, tzinfo=UTC)
LOW = Lane.parse("email.low")
TOLD = {
    "ready": 5,
    "waiting": 2,
    "running": 3,
    "budget": 4,
    "share": 3.5,
    "demand": 2.25,
    "arrivals": 10.0,
    "starts": 8.0,
    "service": 0.2,
    "oldest_running": 1.5,
    "why": "",
    "paused": False,
    "health": "well",
    "bulkhead": 8,
}


def process(*, lanes=None, decisions=(), age=0.5, role="worker", **report):
    scheduler = {
        "threads": 8,
        "running": 3,
        "expected_wait": 0.002,
        "reserves": {"high": 1, "medium": 0},
        "idle": {"empty": 4.0},
        "lanes": lanes or {},
        "decisions": list(decisions),
    }
    told = {"stage": "running", "census": {"threads": 8}, "scheduler": scheduler, **report}
    return Process(uuid.uuid4(), role, "host", 7, AT, timedelta(seconds=age), [], False, told)


def decision(ago, about="email.low", what="budget"):
    return {"ago": ago, "what": what, "about": about, "inputs": {"budget": 2.0}}


def lane(*processes, controls=None, age=None):
    made = lane_views.lane_document(Facts(list(processes), controls or {}, {LOW: age}), LOW)
    msgspec.convert(msgspec.to_builtins(made), answer_types.Lane)
    return made


def test_two_workers_are_one_lane():
    """Ready is the largest told, the rest is summed; the mean is of those who start more."""
    other = TOLD | {"ready": 9, "starts": 24.0, "service": 0.4, "why": "reserve", "oldest_running": 0.5}
    found = lane(process(lanes={"email.low": TOLD}), process(lanes={"email.low": other}), age=12.3456)
    assert (found["workers"], found["ready"], found["waiting"], found["running"]) == (2, 9, 4, 6)
    assert (found["budget"], found["share"], found["demand"]) == (8, 7.0, 4.5)
    assert (found["arrivals_per_second"], found["starts_per_second"]) == (20.0, 32.0)
    assert found["service_seconds"] == pytest.approx(0.35)
    assert (found["oldest_seconds"], found["oldest_running_seconds"]) == (12.346, 1.5)
    assert found["why"] == ["reserve"]


def test_nobody_there_is_said():
    """A door and a worker that has not begun tell nothing of lanes."""
    door = Process(uuid.uuid4(), "http", "host", 7, AT, timedelta(), [], False, {})
    found = lane(door, process(scheduler={}))
    assert (found["workers"], found["ready"], found["health"], found["why"]) == (0, None, None, ["no_worker"])
    assert (found["service_seconds"], found["oldest_seconds"], found["last_decision"]) == (None, None, None)


def test_a_pause_is_storage_s_word_and_not_the_workers():
    """A worker learns of it a second later; what it says still, or not yet, is not shown."""
    slow = process(lanes={"email.low": TOLD | {"why": "paused", "paused": True}})
    assert lane(slow, controls={"email.low": Control(False, "abcdefgh", AT)})["why"] == []
    found = lane(process(lanes={"email.low": TOLD}), controls={"email.low": Control(True, "abcdefgh", AT)})
    assert (found["paused"], found["paused_by"], found["why"]) == (True, "abcdefgh", ["paused"])
    assert found["paused_at"] == "2027-01-01T00:00:00.000Z"


def test_health_is_the_worst_told():
    sick, strange = TOLD | {"health": "suspect"}, TOLD | {"health": "of another version"}
    told = [process(lanes={"email.low": one}) for one in (TOLD, sick, strange)]
    assert lane(*told)["health"] == "suspect"


def test_the_last_decision_is_the_latest_about_the_lane_or_its_providers():
    """Its age goes on after the beat."""
    first = process(decisions=[decision(0.1, "sms.low"), decision(9.0)], age=0.5)
    second = process(decisions=[decision(4.0, "email", "suspect")], age=2.0)
    found = lane(first, second)["last_decision"]
    assert (found["what"], found["about"], found["seconds_ago"]) == ("suspect", "email", 6.0)


def test_workers_tell_who_they_are_and_what_they_decided():
    door = Process(uuid.uuid4(), "http", "host", 7, AT, timedelta(seconds=0.25), [], False, {}, 9191)
    found = lane_views.workers([door, process(decisions=[decision(1.0)], age=0.5)])
    msgspec.convert({"data": found}, answer_types.WorkerList)
    assert (found[0]["role"], found[0]["stage"], found[0]["scheduler"]) == ("http", None, None)
    assert (found[1]["threads"], found[1]["stage"], found[1]["beat_age_seconds"]) == (8, "running", 0.5)
    assert found[1]["scheduler"]["decisions"][0]["seconds_ago"] == 1.5
    assert [one["metrics_port"] for one in found] == [9191, None]


@pytest.mark.parametrize("name", ANSWERS)
def test_an_example_of_an_answer_has_its_form(name):
    known = (
        *answer_types.ALL,
        *failure_answers.ALL,
        *operator_event_answers.ALL,
        *suppression_answers.ALL,
    )
    shapes = {shape.__name__: shape for shape in known}
    msgspec.convert(ANSWERS[name], shapes[name])
