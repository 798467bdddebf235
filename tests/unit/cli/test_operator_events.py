"""What happened, for a person: a line for each event, and as many pages as were asked for."""

import json

import pytest
from click.testing import CliRunner

from notifier.cli import doors, main, operator_events
from notifier.cli.answers import Answer
from notifier.http.examples import ANSWERS

(CLOSED,) = ANSWERS["OperatorEventPage"]["data"]
OPENED = CLOSED | {"id": 117, "kind": "breaker_opened", "reason": "errors", "facts": {"worker": "w"}}
PAUSED = OPENED | {
    "kind": "lane_paused",
    "provider": None,
    "priority": "low",
    "by": "k3v9x0ab",
    "reason": None,
    "facts": {},
}


class Door:
    """A service that gives these pages in turn; `asked` is what was asked of it."""

    def __init__(self, *pages):
        self.pages = list(pages)
        self.asked = []

    def operator_events(self, query):
        self.asked.append(query)
        return self.pages.pop(0)

    def close(self):
        pass


def ran(monkeypatch, door, *arguments, code=0):
    monkeypatch.setattr(doors, "open_door", lambda _tenant: door)
    ended = CliRunner().invoke(main, ["providers", "events", *arguments])
    assert ended.exit_code == code, ended.output
    return ended.output


def page(*rows, cursor=None):
    return Answer(200, {"data": list(rows), "next_cursor": cursor})


def test_a_line_for_each():
    head, closed, opened, paused, resumed = operator_events.in_words(
        [CLOSED, OPENED, PAUSED, PAUSED | {"kind": "lane_resumed", "by": None}]
    ).splitlines()
    assert head.split() == ["at", "what", "about", "why", "by", "more"]
    at = "2027-01-01T09:00:42.120Z"
    assert closed.split() == [
        *(at, "breaker", "closed", "email/ses-eu", "-", "-"),
        *"out for 42.1 s, failed probes: 2".split(),
    ]
    assert opened.split() == [at, "breaker", "opened", "email/ses-eu", "errors", "-", "-"]
    assert paused.split() == [at, "lane", "paused", "email.low", "-", "k3v9x0ab", "-"]
    assert "the command line" in resumed
    assert operator_events.in_words([]) == "none"


def test_a_later_versions_facts_and_what_came_from_outside_do_no_harm():
    told = operator_events.in_words([OPENED | {"provider": "a\x1b[2J", "facts": {"new": "x"}}])
    assert "email/a\\x1b[2J" in told


def test_it_asks_for_pages_until_it_has_as_many_as_were_wanted(monkeypatch):
    door = Door(page(*[CLOSED] * 250, cursor="a"), page(*[CLOSED] * 50, cursor="b"))
    out = ran(monkeypatch, door, "--limit", "300", "--channel", "email", "--after", "7")
    assert door.asked == [
        {"channel": "email", "after": "7", "limit": "250"},
        {"channel": "email", "after": "7", "limit": "50", "cursor": "a"},
    ]
    assert len(out.splitlines()) == 302
    assert "a higher --limit" in out


def test_for_machines_it_is_one_document(monkeypatch):
    found = json.loads(ran(monkeypatch, Door(page(OPENED)), "--json", "--kind", "breaker_opened"))
    assert found == {"data": [OPENED], "next_cursor": None}


@pytest.mark.parametrize("wrong", [("--kind", "nothing"), ("--channel", "fax"), ("--limit", "0")])
def test_what_is_wrong_is_refused_before_anybody_is_asked(monkeypatch, wrong):
    door = Door()
    assert wrong[0] in ran(monkeypatch, door, *wrong, code=2)
    assert door.asked == []


def test_a_refusal_names_what_is_wrong(monkeypatch):
    error = {"pointer": "?after", "code": "out_of_range", "detail": "must be 0 to 9"}
    refused = Answer(422, {"title": "x", "code": "invalid_request", "errors": [error]})
    assert "must be 0 to 9" in ran(monkeypatch, Door(refused), "--after", "-1", code=2)
