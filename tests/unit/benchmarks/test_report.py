"""What a run found can be read by people and by machines, and hides nothing."""

import json
from xml.etree import ElementTree as ET

from benchmarks.chart import chart
from benchmarks.figures import Finding, Pairs
from benchmarks.report import document, short, table
from benchmarks.targets import NAMES, TARGETS

FOUND = [
    Finding(target=TARGETS["P1"], pairs=Pairs((4000.0, 3000.0, 5000.0), (10_000.0, 10_000.0, 10_000.0))),
    Finding(
        target=TARGETS["P4"], pairs=Pairs((1000.0,), (4000.0,)), extra={"ours_by_threads": [{8: 1000.0}]}
    ),
    Finding(target=TARGETS["P10 p50"], pairs=Pairs((3.0,), (2.0,))),
    Finding(target=TARGETS["P10 p99"], pairs=Pairs((30.0,), (5.0,))),
]


def test_the_table_tells_medians_spread_ratio_target_and_verdict():
    """Each figure in one line, with what it is below."""
    lines = table(FOUND).splitlines()
    assert (
        lines[1].split()
        == "P1 4,000 (3,000-5,000) /s 10,000 (10,000-10,000) /s 0.400 (0.300-0.500) >= 0.3 reached".split()
    )
    assert "against aiohttp POST" in lines[2]
    assert lines[3].endswith("not reached")
    assert "<= 2" in lines[5]


def test_the_table_tells_whose_cpu_it_was_where_that_was_measured():
    """A line for the CPU of one notification, one for the cores of two workers and of one."""
    pairs = Pairs((2.0,), (1.0,))
    drain = Finding(target=TARGETS["P4"], pairs=pairs, extra={"cpu_us": {"worker": 712.4, "relay": 1.5}})
    two = {"cores": {"worker": 1.25, "idle": 0.1}, "cores_of_one": {"worker": 0.9, "idle": 0.5}}
    said = table([drain, Finding(target=TARGETS["P13"], pairs=pairs, extra=two)])
    assert "    CPU us a notification: worker 712, relay 1.50\n" in said
    assert said.endswith("    cores: worker 1.25, idle 0.100; with one: worker 0.900, idle 0.500")


def test_the_document_has_each_figure_under_its_name():
    """`{"P1": {"ratio", "target", "reached", "spread", …}}`, with samples and environment."""
    found = document(FOUND, {"cpus": 2}, {"P3": "it broke"})
    assert set(found) == {"P1", "P4", "P10", "environment", "failures"}
    first = found["P1"]
    assert (first["ratio"], first["target"], first["reached"], first["spread"]) == (
        0.4,
        0.3,
        True,
        [0.3, 0.5],
    )
    assert first["samples"] == {"ours": [4000.0, 3000.0, 5000.0], "peer": [10_000.0] * 3}
    assert found["P4"]["extra"] == {"ours_by_threads": [{8: 1000.0}]}
    assert found["environment"] == {"cpus": 2}
    assert found["failures"] == {"P3": "it broke"}
    assert json.loads(json.dumps(found))["P4"]["reached"] is False


def test_a_figure_of_several_parts_is_as_good_as_its_worst():
    """P10 is reached when its median and its 99th percentile are."""
    found = document(FOUND, {}, {})["P10"]
    assert (found["ratio"], found["reached"]) == (6.0, False)
    assert found["parts"]["p50"]["reached"] is True
    assert found["parts"]["p99"]["reached"] is False


def test_the_picture_is_well_formed_and_names_every_figure():
    """Plain SVG: any browser shows it."""
    root = ET.fromstring(chart(FOUND, "a <title> & more"))
    texts = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"P1", "P4", "P10 p50", "P10 p99", "target", "a <title> & more"} <= set(texts)
    assert sum("not reached" in text for text in texts) == 2


def test_numbers_are_as_long_as_they_are_worth():
    """Three digits tell enough beside such a spread."""
    assert [short(value) for value in (12_345.6, 99.5, 1.5, 0.0667)] == ["12,346", "99.50", "1.50", "0.067"]


def test_every_target_can_be_asked_for():
    """`--only` takes what the design names."""
    assert (*(f"P{number}" for number in range(1, 14)), *(f"L{number}" for number in range(1, 11))) == NAMES
