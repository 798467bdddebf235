"""`notifier simulate`: what it prints, what it refuses, what it draws."""

import json
import sys

import pytest
from click.testing import CliRunner

from notifier.cli import main
from notifier.scheduling.scenarios import SCENARIOS


def simulate(*arguments):
    return CliRunner().invoke(main, ["simulate", *arguments])


def document(*arguments):
    ended = simulate(*arguments, "--json")
    assert ended.exit_code == 0, ended.output
    return json.loads(ended.stdout)


def test_without_a_scenario_it_lists_them():
    said = simulate().stdout
    for name, scenario in SCENARIOS.items():
        assert name in said
        assert scenario.words in said
    assert set(json.loads(simulate("--json").stdout)) == set(SCENARIOS)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_runs_under_both_rules(name):
    """Nothing is counted twice: starts and what is left are the arrivals, and all threads are accounted for."""
    found = document(name, "--threads", "4", "--seconds", "4")
    assert [one["rule"] for one in found["rules"]] == ["lanes", "heap"]
    for rule in found["rules"]:
        assert [one["lane"] for one in rule["lanes"]] == [one.lane.name for one in SCENARIOS[name].traffic(4)]
        taken = sum(one["thread_seconds"] for one in rule["lanes"])
        total = taken + sum(rule["idle_thread_seconds"].values())
        assert total == pytest.approx(4 * (rule["until"] - rule["since"]), rel=0.01)


def test_the_document_has_the_figures_of_each_lane():
    found = document("flood", "--threads", "8", "--seconds", "12", "--seed", "3", "--rule", "lanes")
    assert {name: found[name] for name in ("scenario", "threads", "seed", "since", "seconds")} == {
        "scenario": "flood",
        "threads": 8,
        "seed": 3,
        "since": 6.0,
        "seconds": 12.0,
    }
    (rule,) = found["rules"]
    low, high = rule["lanes"]
    assert low["lane"] == "email.low"
    assert low["share"] > 0.7
    assert low["wait_max_ms"] is None
    assert 0 <= high["wait_p50_ms"] <= high["wait_p99_ms"] <= high["wait_max_ms"]
    assert high["starts"] == high["arrivals"] > 0


def test_an_own_load_is_simulated_from_its_first_second():
    """A backlog's waits count, and what could not start counts with its age."""
    load = ["--lane", "email.low:rate=5,seconds=0.2,backlog=100", "--lane", "sms.high:rate=2,seconds=0.05"]
    found = document(*load, "--threads", "2", "--seconds", "5")
    assert found["scenario"] is None
    for rule in found["rules"]:
        low, high = rule["lanes"]
        assert low["arrivals"] >= 100
        assert low["left"] > 0
        assert low["wait_max_ms"] == pytest.approx(5000, abs=1)
        assert high["left"] <= 1


def test_a_limit_holds_the_starts():
    found = document(
        "--lane", "sms.high:backlog=500,seconds=0.02,limit=10", "--threads", "4", "--seconds", "10"
    )
    assert found["rules"][0]["lanes"][0]["starts"] == pytest.approx(100, abs=2)
    assert found["rules"][0]["idle_thread_seconds"]["gate"] > 30


def test_the_same_seed_gives_the_same_words():
    arguments = ("bursts", "--threads", "8", "--seconds", "6", "--seed", "7")
    assert simulate(*arguments).stdout == simulate(*arguments).stdout
    assert simulate(*arguments).stdout != simulate(*arguments[:-1], "8").stdout


def test_threads_are_those_of_the_settings_unless_told(monkeypatch):
    monkeypatch.setenv("NOTIFIER_WORKER_THREADS", "3")
    assert document("flood", "--seconds", "2", "--rule", "lanes")["threads"] == 3


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("storm", "'flood', 'short-flood', 'hung'"),
        ("flood --threads 0", "1<=x<=1024"),
        ("flood --seconds 0", "<=x<=3600"),
        ("flood --seconds nan", "from 1 to 3600"),
        ("flood --seed -1", "x>=0"),
        ("flood --rule fifo", "'lanes', 'heap', 'both'"),
        ("flood --plot x.gif", ".png or .svg"),
        ("flood --plot /nowhere/at/all.png", "there is no folder /nowhere/at"),
        ("--plot x.png", "SCENARIO or --lane"),
        ("flood --lane sms.high:rate=1,seconds=1", "not both"),
        ("--lane sms:rate=1,seconds=1", "CHANNEL.PRIORITY"),
        ("--lane sms.urgent:rate=1,seconds=1", "high, medium, low"),
        ("--lane sms.high", "sms.high: seconds is missing"),
        ("--lane sms.high:seconds=1", "sms.high: rate or backlog"),
        ("--lane sms.high:rate=1,seconds=1,size=2", "'size' is no field; there are rate, seconds"),
        ("--lane sms.high:rate=fast,seconds=1", "rate (messages a second) must be a number from 0 to 100000"),
        ("--lane sms.high:rate=-1,seconds=1", "not '-1'"),
        ("--lane sms.high:rate=1,seconds=nan", "sms.high: seconds"),
        ("--lane sms.high:rate=1,rate=2,seconds=1", "rate is given twice"),
        ("--lane sms.high:backlog=1.5,seconds=1", "a whole number from 0 to 10000000"),
        ("--lane a.low:rate=1,seconds=1 --lane a.low:rate=1,seconds=1", "a.low is given twice"),
    ],
)
def test_wrong_usage_names_what_is_allowed(arguments, named):
    ended = simulate(*arguments.split())
    assert ended.exit_code == 2, ended.output
    # click breaks its lines where they are long.
    assert named in " ".join(ended.output.replace("│", " ").split())


@pytest.mark.parametrize(("name", "begins"), [("x.png", b"\x89PNG\r\n"), ("x.svg", b"<?xml")])
def test_the_plot_is_a_picture_and_the_same_for_the_same_seed(tmp_path, name, begins):
    written = []
    for _ in range(2):
        ended = simulate("flood", "--threads", "8", "--seconds", "3", "--plot", str(tmp_path / name))
        assert ended.exit_code == 0, ended.output
        written.append((tmp_path / name).read_bytes())
    assert written[0].startswith(begins)
    assert written[0] == written[1]


def test_without_the_library_it_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ended = simulate("flood", "--plot", str(tmp_path / "x.png"))
    assert ended.exit_code == 1
    assert "pip install notifier[plot]" in ended.output
    assert not list(tmp_path.iterdir())


def test_a_file_that_can_t_be_written_is_named(tmp_path):
    (tmp_path / "x.png").symlink_to(tmp_path / "gone" / "x.png")
    ended = simulate("flood", "--threads", "1", "--seconds", "1", "--plot", str(tmp_path / "x.png"))
    assert ended.exit_code == 1
    assert "x.png can't be written" in ended.output
