"""What is told of a notification and of a lane: each event once, however often one looks, and no more than a look can bear."""

import json

import pytest
from click.testing import CliRunner

from notifier.cli import doors, tail
from notifier.cli.answers import Answer, NoAnswer
from notifier.cli.tail_looks import DETAILS, PAGE, OneLane
from notifier.domain.lanes import Channel, Lane, Priority

LANE = Lane(Channel.SMS, Priority.HIGH)
PAUSED = {
    "id": 7,
    "at": "2026-11-30T10:00:09.000Z",
    "kind": "lane_paused",
    "channel": "sms",
    "priority": "high",
    "provider": None,
    "by": "k3v9x0ab",
    "reason": None,
    "facts": {},
}
DEFERRED = {
    "n": 1,
    "provider": "twilio",
    "started_at": "2026-11-30T10:00:01.000Z",
    "duration_ms": 40,
    "outcome": "deferred",
    "reason": "throttled",
    "answer": "to +14155552671: slow down",
}


def name(number):
    return f"ntf_01900000-0000-7000-8000-{number:012d}"


def row(number, status="queued", **more):
    return {
        "id": name(number),
        "channel": "sms",
        "priority": "high",
        "status": status,
        "reason": None,
        "attempt": 0,
        "created_at": f"2026-11-30T10:00:00.{number:03d}Z",
        "next_attempt_at": None,
        "finished_at": None,
        "request_id": "r-1",
    } | more


def detailed(found):
    """A row as GET /v1/notifications/{id} shows it, with what its attempt did."""
    timeline = [{"at": found["created_at"], "event": "accepted"}]
    attempts = [DEFERRED] if found["attempt"] else []
    if attempts:
        timeline += [
            {"at": "2026-11-30T10:00:01.000Z", "event": "attempt 1 started"},
            {"at": "2026-11-30T10:00:01.040Z", "event": "attempt 1 deferred: throttled"},
        ]
    if found["finished_at"]:
        timeline.append({"at": found["finished_at"], "event": found["status"]})
    return found | {"attempts": attempts, "timeline": timeline}


class Door:
    """A service with these notifications, newest first; `asked` counts the questions of a look."""

    def __init__(self, *rows):
        self.rows = {one["id"]: one for one in rows}
        self.operator = []
        self.asked = 0
        self.away = False

    def notifications(self, query):
        self.asked += 1
        assert (query["channel"], query["priority"], query["limit"]) == ("sms", "high", str(PAGE))
        found = [
            one for one in self.rows.values() if "status" not in query or one["status"] == query["status"]
        ]
        return Answer(200, {"data": sorted(found, key=lambda one: one["id"], reverse=True)[:PAGE]})

    def show(self, wanted):
        if self.away:
            raise NoAnswer("nobody is there")
        self.asked += 1
        if wanted not in self.rows:
            return Answer(404, {"title": "no such notification"})
        return Answer(200, detailed(self.rows[wanted]))

    def operator_events(self, query):
        after = int(query.get("after", 0))
        return Answer(200, {"data": [one for one in self.operator if one["id"] > after]})

    def close(self):
        pass

    def change(self, number, **more):
        self.rows[name(number)] |= more


def told(events):
    return [(one["event"], one.get("notification", "")[-2:]) for one in events]


def test_a_lane_is_told_once_and_goes_on():
    """What was there, then only what is new: attempts with their facts, and what operators do."""
    door, looks = Door(row(1), row(2)), OneLane(LANE, 10)
    assert told(looks.look(door)) == [("accepted", "01"), ("accepted", "02")]
    assert looks.look(door) == []
    door.change(1, attempt=1, next_attempt_at="2026-11-30T10:00:05.000Z")
    door.operator.append(PAUSED)
    started, ended, paused = looks.look(door)
    assert (started["event"], started["attempt"]) == ("attempt_started", 1)
    assert ended == {
        "at": "2026-11-30T10:00:01.040Z",
        "event": "attempt_deferred",
        "notification": name(1),
        "lane": "sms.high",
        "request_id": "r-1",
        "attempt": 1,
        "provider": "twilio",
        "outcome": "deferred",
        "reason": "throttled",
        "duration_ms": 40,
        "possible_duplicate": False,
    }
    assert (paused["event"], paused["by"]) == ("lane_paused", "k3v9x0ab")
    assert looks.look(door) == []


def test_a_lane_begins_with_its_last_events():
    """As `tail -n` does; 0 begins with what comes."""
    door = Door(*(row(number) for number in range(5)))
    assert told(OneLane(LANE, 2).look(door)) == [("accepted", "03"), ("accepted", "04")]
    nothing = OneLane(LANE, 0)
    assert nothing.look(door) == []
    door.change(0, status="expired", finished_at="2026-11-30T11:00:00.000Z", reason="expired")
    assert told(nothing.look(door)) == [("accepted", "00"), ("expired", "00")]


def test_an_ending_stays_behind_its_attempt():
    """The row's end is written a moment before the attempt's reckoned one, which is no reason to tell it first."""
    ended = row(1, "failed", attempt=1, reason="expired", finished_at="2026-11-30T10:00:01.038Z")
    later = row(2, created_at="2026-11-30T10:00:01.039Z")
    assert told(OneLane(LANE, 10).look(Door(ended, later))) == [
        ("accepted", "01"),
        ("attempt_started", "01"),
        ("accepted", "02"),
        ("attempt_deferred", "01"),
        ("failed", "01"),
    ]


def test_one_that_fell_out_of_the_lists_is_followed_to_its_end():
    """A retry of an old notification is seen although a page of newer ones came since."""
    door, looks = Door(row(1)), OneLane(LANE, 10)
    looks.look(door)
    door.rows |= {name(number): row(number) for number in range(2, PAGE + 2)}
    looks.look(door)
    door.change(1, status="sent", finished_at="2026-11-30T10:09:00.000Z")
    assert told(looks.look(door)) == [("sent", "01")]


def test_a_look_asks_no_more_than_its_bound():
    """However busy the lane: two lists, and some single notifications; the rest is told by its state."""
    door, looks = Door(), OneLane(LANE, 10)
    looks.look(door)
    door.rows |= {name(number): row(number) for number in range(400)}
    door.asked = 0
    events = looks.look(door)
    assert door.asked == 2 + DETAILS
    assert len(events) == PAGE
    assert [one["event"] for one in events].count("queued") == PAGE - DETAILS
    assert not looks.left_out  # before these there were none
    door.rows |= {name(number): row(number) for number in range(400, 800)}
    looks.look(door)
    assert looks.left_out


def ran(monkeypatch, door, *arguments, code=0):
    monkeypatch.setattr(doors, "open_door", lambda _tenant: door)
    done = CliRunner().invoke(tail.command, arguments)
    assert done.exit_code == code, done.output
    return done.output


def test_a_notification_is_followed_to_its_end(monkeypatch):
    """The command ends by itself; nothing of the provider's own words is shown."""
    ended = row(1, "failed", attempt=1, reason="expired", finished_at="2026-11-30T10:01:00.000Z")
    out = ran(monkeypatch, Door(ended), name(1))
    assert out.splitlines() == [
        f"2026-11-30T10:00:00.001Z  sms.high  {name(1)}  accepted",
        f"2026-11-30T10:00:01.000Z  sms.high  {name(1)}  attempt 1 started",
        f"2026-11-30T10:00:01.040Z  sms.high  {name(1)}  attempt 1 deferred: throttled  twilio  40 ms",
        f"2026-11-30T10:01:00.000Z  sms.high  {name(1)}  failed: expired",
    ]
    lines = ran(monkeypatch, Door(ended), name(1), "--json").splitlines()
    assert [json.loads(line)["event"] for line in lines][-1] == "failed"
    assert "+1415" not in out + "".join(lines)


@pytest.mark.parametrize("what", ["sms", "fax.high", "ntf_1", ""])
def test_anything_else_is_refused(monkeypatch, what):
    assert "email.high, email.medium" in ran(monkeypatch, Door(), what, code=2)


def test_what_is_not_there_or_does_not_answer_ends_the_command(monkeypatch):
    assert "no such notification" in ran(monkeypatch, Door(), name(9), code=1)
    door = Door(row(1))
    door.away = True
    assert "nobody is there" in ran(monkeypatch, door, name(1), code=1)
