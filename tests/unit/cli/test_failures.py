"""Failures in words, and a replay that is followed to its end, stopped or left alone."""

import json

import pytest
from click.testing import CliRunner

from notifier.cli import doors, failure_words, main, watching
from notifier.cli.answers import Answer, NoAnswer
from notifier.http.examples import ANSWERS

RUNNING = ANSWERS["Operation"]
DONE = RUNNING | {"state": "done", "replayed": 297, "left": 0}
STOPPED = RUNNING | {"state": "cancelled", "left": 0}
COUNTED = {"dry_run": True, "matched": 300, "dropped": 3, "forgotten": 1, "more": True}


class Door:
    """A service that begins a replay, then answers so, one after another."""

    def __init__(self, *looks):
        self.looks = list(looks)
        self.asked = []

    def work_on_failures(self, kind, body):
        self.asked.append((str(kind), json.loads(body)))
        return Answer(200, COUNTED) if self.asked[-1][1].get("dry_run") else Answer(202, RUNNING)

    def operation(self, name):
        found = self.looks.pop(0)
        if isinstance(found, BaseException):
            raise found
        return Answer(200, found)

    def close(self):
        pass


@pytest.fixture
def ran(monkeypatch):
    monkeypatch.setattr(watching, "_EVERY", 0.001)

    def run(door, *arguments, code=0):
        for module in (doors, watching):
            monkeypatch.setattr(module, "open_door", lambda _tenant: door)
        ended = CliRunner().invoke(main, ["failures", *arguments])
        assert ended.exit_code == code, ended.output
        return ended.output

    return run


def test_a_replay_is_followed_to_its_end(ran):
    """A look that nobody answers is made again."""
    door = Door(RUNNING, NoAnswer("no answer"), DONE)
    arguments = ("--channel", "email", "--rate", "5", "--as-priority", "low", "--ttl", "60", "--limit", "9")
    out = ran(door, "replay", *arguments, "--yes")
    assert out == f"{RUNNING['operation_id']}: 297 of 300 replayed, 3 expired\n"
    asked = {"filter": {"channel": "email"}, "rate": 5.0, "ttl": 60, "priority": "low", "limit": 9}
    assert door.asked == [("replay", asked)]


def test_one_that_somebody_stops_ends_with_1(ran):
    assert ran(Door(STOPPED), "replay", "--all", "--yes", code=1).endswith("3 expired, stopped\n")


def test_who_waits_no_longer_is_told_that_it_goes_on(ran):
    """Ctrl-C, or a service that says nothing any more."""
    for door in (Door(KeyboardInterrupt()), Door(*[NoAnswer("no answer")] * 20)):
        out = ran(door, "replay", "--all", "--yes", code=1)
        assert f"notifier failures stop {RUNNING['operation_id']}" in out


def test_nobody_waits_who_does_not_want_to(ran):
    out = ran(Door(), "replay", "--all", "--yes", "--no-wait")
    assert out.endswith("112 of 300 replayed, 3 expired, 185 wait for their turn\n")


def test_a_dry_run_says_what_would_be_lost(ran):
    door = Door()
    out = ran(door, "replay", "--all", "--dry-run")
    assert out == (
        "300 match, of which 3 have expired and 1 have no content any more; more match than the limit lets through\n"
    )
    assert door.asked == [("replay", {"filter": {}, "dry_run": True})]


@pytest.mark.parametrize("arguments", [(), ("--all", "--channel", "sms"), ("--all",)])
def test_nothing_is_taken_by_accident(ran, arguments):
    """Neither without a filter, nor where nobody can be asked."""
    door = Door()
    ran(door, "discard", *arguments, code=2)
    assert door.asked == []


def test_failures_in_a_table_move_no_cursor():
    row = {
        "id": "ntf_1", "channel": "email", "priority": "low", "status": "failed", "reason": "throttled",
        "provider": None, "attempts": 0, "last_attempt": {"code": "421", "answer": "\x1b[2J" + "a" * 99},
        "age_seconds": 90.0, "state": "open",
    }  # fmt: skip
    head, line = failure_words.listed([row], more=False).splitlines()
    assert head.startswith("id ")
    assert "\x1b" not in line
    assert line.endswith("a…")
    assert "2 min ago" in line
    assert failure_words.listed([row | {"state": "replayed"}], more=True).startswith("state ")
    assert failure_words.listed([], more=False) == "none"


def test_a_sum_in_a_table():
    head, line = failure_words.summed(ANSWERS["FailureSummary"]).splitlines()
    assert head.split() == ["reason", "provider", "count", "oldest", "newest"]
    assert line.split()[:3] == ["content_rejected", "smtp-main", "300"]
