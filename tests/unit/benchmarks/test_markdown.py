"""The documents' tables are made from what runs found, and only between their marks."""

import json
import shutil
from pathlib import Path

import pytest

from benchmarks import markdown, readme
from benchmarks.figures import Finding, Pairs
from benchmarks.report import document
from benchmarks.targets import TARGETS

ROOT = Path(__file__).parents[3]
ACCEPT = {"http": 400.0, "rabbitmq": 60.0, "postgresql": 140.0}
SEND = {"worker": 500.0, "relay": 5.0, "launcher": 25.0, "rabbitmq": 100.0, "postgresql": 200.0}
WHERE = {
    "cpus": 2,
    "python": "3.11.2",
    "servers": {"PostgreSQL": "15.9", "RabbitMQ": "3.10.8"},
    "load_before": 0.1,
    "sizes": {"name": "quick", "rounds": 3},
}


def finding(name, ours, peer, **extra):
    return Finding(target=TARGETS[name], pairs=Pairs(tuple(ours), tuple(peer)), extra=extra)


FOUND = [
    finding("P1", (4000.0, 3000.0, 5000.0), (10_000.0,) * 3, cpu_us=ACCEPT),
    finding("P3", (9000.0,), (10_000.0,), cpu_us={"http": 50.0, "rabbitmq": 30.0, "postgresql": 20.0}),
    finding("P4", (1000.0,), (4000.0,), cpu_us=SEND),
    finding("P10 p50", (3.0,), (2.0,)),
    finding("P10 p99", (30.0,), (5.0,)),
]
RUN = json.loads(json.dumps(document(FOUND, WHERE, {})))


def test_what_a_run_wrote_is_read_as_it_was():
    """Parts too; a later run's figures replace an earlier one's and leave the others."""
    found = markdown.findings_of([RUN])
    assert {name: one.pairs for name, one in found.items()} == {one.target.id: one.pairs for one in FOUND}
    later = json.loads(json.dumps(document([finding("P1", (1.0,), (1.0,))], WHERE, {})))
    both = markdown.findings_of([RUN, later])
    assert both["P1"].ratio.median == 1.0
    assert both["P4"].ratio.median == 0.25


def test_every_target_has_its_row_measured_or_not():
    """What was not measured is seen to be missing."""
    rows = [
        line.strip("| ").split(" | ")
        for line in markdown.figures(markdown.findings_of([RUN]), "P").split("\n")
    ]
    assert [row[0] for row in rows[2:]] == [name for name in TARGETS if name.startswith("P")]
    cells = {row[0]: row for row in rows}
    assert cells["P1"][3:] == ["4,000/s", "10,000/s", "0.400 (0.300-0.500)", ">= 0.3", "reached"]
    assert cells["P4"][5:] == ["0.250", ">= 1.5", "not reached"]
    assert cells["P2"][3:] == ["-", "-", "-", ">= 8", "not measured"]


def test_a_notifications_cpu_is_that_of_its_request_and_of_its_send():
    """P1 and P4 added up; one core carries a million µs' worth; cores are rate by µs."""
    cpu = markdown.cpu_of(markdown.findings_of([RUN]))
    assert markdown.whole(cpu) == {
        "http": 400.0,
        "worker": 500.0,
        "launcher": 25.0,
        "rabbitmq": 160.0,
        "postgresql": 340.0,
    }
    lines = markdown.cpu_table(cpu).split("\n")
    assert lines[2] == "| HTTP process | 400 us | 50.00 us | - | 400 us | 2,500/s |"
    assert lines[-1] == "| PostgreSQL | 140 us | 20.00 us | 200 us | 340 us | 2,941/s |"
    cores = markdown.core_table(cpu).split("\n")
    assert cores[3] == "| worker process | 0.050 | 5.00 | 50.00 |"
    assert cores[-1] == "| together | 0.142 | 14.25 | 142 |"


def test_only_what_stands_between_the_marks_is_replaced():
    text = "before <!-- x -->\nold\n<!-- /x --> after"
    assert markdown.between(text, "x", "new") == "before <!-- x -->\nnew\n<!-- /x --> after"
    assert markdown.inside(markdown.between(text, "x", "new"), "x") == "new"
    with pytest.raises(ValueError, match="<!-- y -->"):
        markdown.between(text, "y", "new")


def copied(tmp_path):
    for name in ("README.md", "docs/performance.md", "docs/scaling.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_the_documents_are_written_and_say_what_was_measured_on(tmp_path):
    made = readme.documents([RUN], copied(tmp_path))
    assert {str(path.relative_to(tmp_path)) for path in made} == {
        "README.md",
        "docs/performance.md",
        "docs/scaling.md",
        "docs/images/bench.svg",
    }
    said = made[tmp_path / "README.md"]
    assert "| P1 |" in said
    assert "| L1 |" not in said
    assert "- `make bench-quick ONLY=P1,P3,P4,P10`, 3 rounds: 2 CPUs, Python 3.11.2" in said
    assert "| L1 |" in made[tmp_path / "docs/performance.md"]
    assert "| together | 0.142 |" in made[tmp_path / "docs/scaling.md"]


@pytest.mark.parametrize(("load", "said"), [(0.4, False), (7.5, True)])
def test_a_crowded_machine_is_said(load, said):
    """A figure that was taken beside other work says so by itself."""
    told = readme.measured_on([{**RUN, "environment": {**WHERE, "load_before": load}}])
    assert f"load before {load}" in told
    assert ("other work ran" in told) is said


def test_without_its_figures_the_page_on_scaling_is_left_as_it_is(tmp_path):
    """A run of some figures must not empty the arithmetic."""
    run = json.loads(json.dumps(document(FOUND[:1], WHERE, {})))
    made = readme.documents([run], copied(tmp_path))
    assert tmp_path / "docs/scaling.md" not in made
