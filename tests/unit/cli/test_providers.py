"""The table of provider accounts: what is out stands out in words, and steering names its account."""

import pytest
from click.testing import CliRunner

from notifier.cli import doors, main, providers
from notifier.cli.answers import Answer
from notifier.domain.lanes import Channel
from notifier.http.examples import ANSWERS

OPEN = ANSWERS["Provider"]
WELL = OPEN | {"name": "relay", "preference": 2, "breaker": "closed", "why": None, "probe_in_seconds": None}
IDLE = WELL | {"calls": 0, "error_rate": None, "slow_rate": None, "p95_seconds": None}


class Door:
    """A service that answers so; `asked` is what was asked of it."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def providers(self):
        return self.answer

    def set_disabled(self, name, channel, disabled):
        self.asked.append((name, channel, disabled))
        return self.answer

    def close(self):
        pass


@pytest.fixture
def door(monkeypatch):
    made = Door(Answer(200, {"data": [OPEN, WELL]}))
    monkeypatch.setattr(doors, "open_door", lambda _tenant: made)
    return made


def ran(*arguments, code=0):
    ended = CliRunner().invoke(main, ["providers", *arguments])
    assert ended.exit_code == code, ended.output
    return ended.output


def test_a_line_for_each_account():
    head, first, second, third = providers.in_words([OPEN, WELL, IDLE]).splitlines()
    assert head.split()[:3] == ["channel", "provider", "breaker"]
    assert first.split() == "email 1 ses-eu open, probe in 3 s errors 40 62% 0% 0.41 s -".split()
    assert second.split()[:5] == ["email", "2", "relay", "closed", "-"]
    assert third.split()[4:] == ["-", "0", "-", "-", "-", "-"]


def test_an_operators_word_names_who_said_it():
    by_key = WELL | {"disabled": True, "disabled_by": "k3v9x0ab"}
    assert "by k3v9x0ab" in providers.in_words([by_key])
    assert "by the command line" in providers.in_words([by_key | {"disabled_by": None}])


def test_it_is_shown_for_people_and_machines(door):
    assert "ses-eu" in ran()
    assert '"breaker": "open"' in ran("--json")


@pytest.mark.parametrize(("word", "disabled"), [("disable", True), ("enable", False)])
def test_steering_names_the_account_and_where_needed_its_channel(door, word, disabled):
    ran(word, "ses-eu")
    ran(word, "console", "--channel", "push")
    assert door.asked == [("ses-eu", None, disabled), ("console", Channel.PUSH, disabled)]


def test_a_channel_that_is_none_is_refused(door):
    assert "'fax' is not one of" in ran("disable", "console", "--channel", "fax", code=2)


def test_a_refusal_ends_with_1_or_2(door):
    door.answer = Answer(404, {"title": "Not found", "detail": "there is no such thing", "code": "not_found"})
    ran("disable", "nobody", code=1)
    error = {"pointer": "?channel", "code": "ambiguous", "detail": "must be one of sms, push"}
    door.answer = Answer(422, {"title": "x", "code": "invalid_request", "errors": [error]})
    assert "must be one of sms, push" in ran("disable", "console", code=2)
