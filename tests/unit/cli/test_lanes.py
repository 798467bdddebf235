"""The table of lanes: every column, what is held and why, nothing that moves a cursor; redrawn until Ctrl-C."""

import click
import pytest
from click.testing import CliRunner

from notifier.cli import doors, lanes, main
from notifier.cli.answers import Answer, NoAnswer
from notifier.http.examples import ANSWERS

PAUSED = ANSWERS["Lane"]
FREE = PAUSED | {
    "lane": "sms.high",
    "paused": False,
    "ready": None,
    "oldest_seconds": None,
    "running": 3,
    "why": [],
}


class Door:
    """A service that answers so; `asked` is what was asked of it."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def lanes(self):
        self.asked.append("lanes")
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def set_paused(self, lane, paused):
        self.asked.append((lane.name, paused))
        return self.answer

    def close(self):
        pass


@pytest.fixture
def door(monkeypatch):
    made = Door(Answer(200, {"data": [PAUSED, FREE]}))
    monkeypatch.setattr(doors, "open_door", lambda _tenant: made)
    return made


def ran(*arguments, code=0):
    ended = CliRunner().invoke(main, ["lanes", *arguments])
    assert ended.exit_code == code, ended.output
    return ended.output


def test_a_line_for_each_lane():
    head, first, second = lanes.in_words([PAUSED, FREE]).splitlines()
    assert head.split() == ["lane", "ready", "waiting", "running", "budget", "oldest", "in/s", "out/s", "why"]
    assert first.split() == ["email.low", "98214", "37", "0", "10", "7", "min", "41.2", "40.9", "paused"]
    assert second.split() == ["sms.high", "-", "37", "3", "10", "-", "41.2", "40.9", "-"]


def test_a_sick_provider_is_named_once():
    sick = FREE | {"health": "suspect"}
    assert lanes.in_words([sick]).endswith("  suspect")
    assert lanes.in_words([sick | {"why": ["suspect"]}]).endswith("40.9   suspect")


def test_only_with_colour_and_only_what_is_held():
    assert "\x1b" not in lanes.in_words([PAUSED, FREE])
    _, first, second = lanes.in_words([PAUSED, FREE], colour=True).splitlines()
    assert first != click.unstyle(first)
    assert second == click.unstyle(second)


def test_another_service_s_words_move_no_cursor():
    assert "\\x1b[2J" in lanes.in_words([FREE | {"why": ["\x1b[2J"]}])


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0.0 s"), (59.94, "59.9 s"), (60, "1 min"), (3599, "60 min"), (5400, "1.5 h"), (200_000, "2.3 d")],
)
def test_an_age_stands_in_its_largest_unit(seconds, told):
    assert lanes.age(seconds) == told


def test_without_a_terminal_it_is_shown_once(door):
    assert ran().count("email.low") == 1
    assert ran("--once").count("email.low") == 1
    assert door.asked == ["lanes"] * 2
    assert '"lane": "email.low"' in ran("--json")


@pytest.mark.parametrize("no_color", ["", "1"])
def test_on_a_terminal_it_is_redrawn_until_ctrl_c(door, monkeypatch, capsys, no_color):
    """Each time from the top, in colour unless NO_COLOR says otherwise; the end is a good one."""
    drawn = []

    class Impatient:
        def wait(self, seconds):
            drawn.append(seconds)
            if len(drawn) == 3:
                raise KeyboardInterrupt

    monkeypatch.setattr(lanes.threading, "Event", Impatient)
    monkeypatch.setattr(lanes, "_live", lambda: True)
    monkeypatch.setenv("NO_COLOR", no_color)
    lanes.command.main([], standalone_mode=False)
    shown = capsys.readouterr().out
    assert drawn == [1.0] * 3
    assert shown.count("\x1b[H") == 3
    assert ("\x1b[33m" in shown) == (not no_color)


def test_pause_and_resume_name_the_lane(door):
    door.answer = Answer(200, PAUSED)
    assert "notifier lanes resume email.low" in ran("pause", "email.low")
    assert ran("resume", "email.low") == "email.low goes on\n"
    assert '"paused": true' in ran("pause", "email.low", "--json")
    assert door.asked == [("email.low", True), ("email.low", False), ("email.low", True)]


def test_a_refusal_and_a_silence_end_with_1(door):
    door.answer = Answer(403, {"title": "The API key does not allow this", "code": "forbidden"})
    assert "does not allow" in ran("pause", "email.low", code=1)
    assert '"forbidden"' in ran("--json", code=1)
    door.answer = NoAnswer("no answer from there")
    assert "no answer from there" in ran(code=1)
