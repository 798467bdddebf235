"""What a worker tells of its scheduler: every lane, why it is held, and small enough for a beat."""

import json
from types import SimpleNamespace

import pytest

from notifier.domain.lanes import Lane
from notifier.scheduling.lane_queue import LaneQueue
from notifier.scheduling.policy import LaneOptions, Policy, Rank
from notifier.scheduling.report import DECISIONS, report_of
from notifier.scheduling.scheduler import Move, Scheduler

NOW = 1000.0
LANES = [LaneOptions(f"q.{lane}", Rank[lane.priority.name], str(lane.channel)) for lane in Lane.all()]


def ready(_lane):
    return 0.0


def told(scheduler, now=NOW, **given):
    given = {"ready": {}, "decisions": [], "name_of": lambda name: name.removeprefix("q.")} | given
    return report_of(scheduler, now, **given)


@pytest.fixture
def scheduler():
    made = Scheduler(Policy(threads=2), LANES)
    made.tick(NOW)
    return made


def test_an_idle_worker_has_every_lane_and_nothing_to_tell(scheduler):
    found = told(scheduler, ready={"q.email.low": 7})
    assert (found["threads"], found["running"], found["reserves"]) == (2, 0, {"high": 0, "medium": 0})
    assert list(found["lanes"]) == [lane.name for lane in Lane.all()]
    low = found["lanes"]["email.low"]
    assert (low["ready"], low["waiting"], low["running"], low["why"]) == (7, 0, 0, "")
    assert (low["service"], low["oldest_running"], low["health"]) == (None, None, "well")
    assert found["lanes"]["sms.high"]["ready"] is None


def test_what_runs_and_what_waits_for_a_thread(scheduler):
    """With every thread taken the reason is that, whatever somebody found before."""
    lane = scheduler.lanes["q.email.low"]
    for _ in range(3):
        scheduler.arrived(lane, NOW)
    runs = [scheduler.pick(NOW + 0.5 * number, ready) for number in range(2)]
    assert all(runs)
    found = told(scheduler, NOW + 3)["lanes"]["email.low"]
    assert (found["running"], found["waiting"], found["why"]) == (2, 1, "threads")
    assert found["oldest_running"] == 3.0
    assert found["arrivals"] > 0
    scheduler.ended(runs[0], NOW + 3)
    found = told(scheduler, NOW + 3)["lanes"]["email.low"]
    assert (found["service"], found["oldest_running"], found["why"]) == (3.0, 2.5, "")


def test_why_a_lane_is_held(scheduler):
    """As the last thread that looked found it; a pause is said of an empty lane too."""
    lane = scheduler.lanes["q.email.low"]
    scheduler.arrived(lane, NOW)
    assert scheduler.pick(NOW, lambda _: 5.0) is None
    assert told(scheduler)["lanes"]["email.low"]["why"] == "gate"
    assert told(scheduler, NOW + 9)["idle"] == {}
    scheduler.tick(NOW + 9)
    assert told(scheduler, NOW + 9)["idle"] == {"gate": 18.0}
    scheduler.lanes["q.sms.low"].paused = True
    found = told(scheduler)["lanes"]["sms.low"]
    assert (found["paused"], found["why"]) == (True, "paused")


def test_the_latest_decisions_first_with_their_age(scheduler):
    moves = [
        Move(NOW - number, "budget", "q.email.low", {"budget": 2, "share": 1 / 3})
        for number in range(30, 0, -1)
    ]
    found = told(scheduler, decisions=moves)["decisions"]
    assert len(found) == DECISIONS
    assert found[0] == {
        "ago": 1.0,
        "what": "budget",
        "about": "email.low",
        "inputs": {"budget": 2.0, "share": 0.3333},
    }
    assert [one["ago"] for one in found] == sorted(one["ago"] for one in found)


def test_it_is_small_enough_for_a_beat():
    """Below 8 KB at nine lanes with everything to tell, and JSON as it stands."""
    scheduler = Scheduler(Policy(threads=32), LANES)
    for number, lane in enumerate(scheduler.lanes.values()):
        for at in range(50):
            scheduler.arrived(lane, NOW + at / 7)
        run = scheduler.pick(NOW + 10 + number / 3, ready)
        scheduler.ended(run, NOW + 20 + number / 7)
    inputs = {"budget": 12345, "before": 12345, "share": 1234.56789, "demand": 1234.56789}
    moves = [Move(NOW, "budget", "q.email.medium", inputs)] * 50
    found = told(scheduler, NOW + 1234.5, decisions=moves, ready=dict.fromkeys(scheduler.lanes, 10**7))
    assert len(json.dumps(found)) < 8000


def test_what_a_waking_lane_decided_is_told_with_the_next_tick():
    """And only once."""
    queue = LaneQueue(lambda _: None, Scheduler(Policy(threads=2), LANES), clock=lambda: NOW)
    queue.put(SimpleNamespace(message=SimpleNamespace(queue_name="q.email.low")))
    assert "q.email.low" in [move.about for move in queue.tick()]
    assert queue.tick() == []


def test_a_paused_lane_queue_says_so_and_goes_on():
    """`pause` of the queue is what the report shows; it names all that are paused, not one more."""
    queue = LaneQueue(lambda _: None, Scheduler(Policy(threads=2), LANES), clock=lambda: NOW)
    queue.pause({"q.email.low"})
    paused = [name for name, one in queue.look(told)["lanes"].items() if one["paused"]]
    assert paused == ["email.low"]
    queue.pause(set())
    assert not any(one["paused"] for one in queue.look(told)["lanes"].values())
