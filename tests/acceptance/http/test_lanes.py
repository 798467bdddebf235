"""The operator's routes: lanes and workers as their beats tell, pausing with its audit."""

import uuid

import msgspec
import pytest
import structlog

from notifier.domain.keys import key_id_of
from notifier.domain.lanes import Lane
from notifier.http.answer_types import Lane as LaneShape
from notifier.http.answer_types import LaneList, WorkerList
from notifier.scheduling.policy import LaneOptions, Policy, Rank
from notifier.scheduling.report import report_of
from notifier.scheduling.scheduler import Scheduler
from notifier.storage import workers
from notifier.storage.workers import Beat
from tests.acceptance.http.test_sending import body

PAUSE, RESUME = "/v1/lanes/email/low/pause", "/v1/lanes/email/low/resume"


@pytest.fixture
def admin(door):
    return door.new_key(scopes=("admin",))


def beat(door, running=1, stopped=False):
    """A worker's beat, with a real report: so many messages of email.high run, one waits."""
    lanes = [LaneOptions(lane.name, Rank[lane.priority.name], str(lane.channel)) for lane in Lane.all()]
    scheduler = Scheduler(Policy(threads=4), lanes)
    moves = scheduler.tick(100.0)
    for _ in range(running + 1):
        scheduler.arrived(scheduler.lanes["email.high"], 100.0)
    for _ in range(running):
        assert scheduler.pick(100.0, lambda _: 0.0)
    moves += scheduler.tick(100.25)
    report = report_of(scheduler, 101.0, ready={"email.high": 10 * running}, decisions=moves)
    census = {"threads": 4, "threads_alive": 4, "consumers": 9, "consumers_alive": 9}
    said = {"stage": "running", "census": census, "scheduler": report}
    made = Beat(id=uuid.uuid4(), role="worker", host="a", pid=1, report=said, stopped=stopped)
    workers.beat(door.engine, made)
    return made


async def lanes(door, key=None):
    answer = await door.ask("GET", "/v1/lanes", key=key)
    assert answer.status == 200
    return {one.lane: one for one in msgspec.json.decode(answer.body, type=LaneList).data}


async def test_every_lane_is_there_with_nobody_at_work(door):
    found = await lanes(door)
    assert list(found) == [lane.name for lane in Lane.all()]
    assert {tuple(one.why) for one in found.values()} == {("no_worker",)}
    assert found["email.high"].oldest_seconds is None
    assert (await door.post(body())).status == 202
    waits = {name for name, one in (await lanes(door)).items() if one.oldest_seconds is not None}
    assert len(waits) == 1


async def test_lanes_are_joined_over_the_living(door):
    """One that has said goodbye does not count."""
    beat(door, running=1)
    beat(door, running=2)
    beat(door, running=3, stopped=True)
    found = (await lanes(door))["email.high"]
    assert (found.workers, found.ready, found.waiting, found.running) == (2, 20, 2, 3)
    assert found.budget >= 2
    assert found.last_decision is not None
    assert found.last_decision.about == "email.high"


async def test_workers_are_those_that_beat(door):
    made = beat(door)
    workers.beat(door.engine, Beat(id=uuid.uuid4(), role="relay", host="b", pid=2))
    answer = await door.ask("GET", "/v1/workers")
    told = {one.role: one for one in msgspec.json.decode(answer.body, type=WorkerList).data}
    assert (told["worker"].id, told["worker"].threads, told["worker"].stage) == (str(made.id), 4, "running")
    assert told["worker"].scheduler.decisions
    assert (told["relay"].stage, told["relay"].scheduler) == (None, None)


async def test_a_pause_and_a_resume_are_said_once_and_by_whom(door, admin):
    """Repeating either changes nothing: the answer is the lane as it stands, the log and the row keep the first."""
    other = door.new_key(scopes=("admin",))
    with structlog.testing.capture_logs() as logs:
        first = await door.ask("POST", PAUSE, key=admin)
        again = await door.ask("POST", PAUSE, key=other)
    for answer in (first, again):
        lane = msgspec.json.decode(answer.body, type=LaneShape)
        assert (answer.status, lane.lane, lane.paused) == (200, "email.low", True)
        assert lane.paused_by == key_id_of(admin)
        assert "paused" in lane.why
    told = [(one["event"], one["lane"], one["by"]) for one in logs if "lane" in one]
    assert told == [("lane_paused", "email.low", key_id_of(admin))]
    assert [name for name, one in (await lanes(door)).items() if one.paused] == ["email.low"]

    with structlog.testing.capture_logs() as logs:
        gone_on = [await door.ask("POST", RESUME, key=other) for _ in range(2)]
    assert [(one.status, one.json()["paused"], one.json()["paused_by"]) for one in gone_on] == [
        (200, False, None)
    ] * 2
    assert [one["event"] for one in logs if "lane" in one] == ["lane_resumed"]


async def test_pausing_needs_an_admin_and_reading_a_reader(door):
    """Who may send and read may not steer."""
    sender = door.new_key(scopes=("send",))
    for path in (PAUSE, RESUME):
        assert (await door.ask("POST", path)).status == 403
    for path in ("/v1/lanes", "/v1/workers"):
        assert (await door.ask("GET", path, key=sender)).status == 403
        assert (await door.ask("GET", path)).status == 200


async def test_without_storage_nothing_is_known_and_nothing_is_promised(door, admin):
    await door.ask("GET", "/v1/lanes", key=admin)
    door.lose_storage()
    for method, path in (("GET", "/v1/lanes"), ("GET", "/v1/workers"), ("POST", PAUSE)):
        answer = await door.ask(method, path, key=admin)
        assert (answer.status, answer.json()["code"]) == (503, "unavailable")
    door.find_storage()
    assert not (await lanes(door))["email.low"].paused
