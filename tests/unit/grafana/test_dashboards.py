"""The dashboards: current, about metrics that exist, and each panel says what it shows."""

import json
import re
from pathlib import Path

import pytest

from grafana.files import DASHBOARDS, FOLDER, documents
from notifier.telemetry.metrics import TABLE, Kind

ALERTS = Path(__file__).parents[3] / "grafana" / "alerts.yaml"
KNOWN = {metric.name: metric for metric in TABLE}
#: Every series that Prometheus makes of each metric.
SERIES = {
    series: metric
    for metric in TABLE
    for series in (
        [f"{metric.name}_{part}" for part in ("bucket", "sum", "count")]
        if metric.kind is Kind.HISTOGRAM
        else [metric.name]
    )
}
USED = re.compile(r"notifier_[a-z_]+")
SELECTOR = re.compile(r"(notifier_[a-z_]+)(?:\{([^}]*)\})?")
GROUPED = re.compile(r"by \(([^)]*)\)")
#: Labels that Prometheus adds.
ADDED = {"job", "instance", "le"}

PANELS = [
    pytest.param(panel, id=f"{one.title.removeprefix('notifier: ')}: {panel.title}")
    for one in DASHBOARDS
    for panels in one.rows.values()
    for panel in panels
]


def test_the_committed_dashboards_are_current():
    """`python -m grafana` writes them anew."""
    assert {path.name: path.read_text() for path in FOLDER.iterdir()} == documents()


def test_dashboards_and_code_name_the_same_metrics():
    """Both ways: nothing is drawn that is not measured, and nothing measured that is never drawn."""
    drawn = {name for text in documents().values() for name in USED.findall(text)}
    assert drawn - set(SERIES) - {"notifier_"} == set()
    assert {SERIES[name].name for name in drawn} == set(KNOWN)


def test_alerts_name_metrics_that_exist():
    expressions = re.findall(r"expr: (?:\|\n)?((?:.+\n)+?)\s+for:", ALERTS.read_text())
    assert len(expressions) == ALERTS.read_text().count("- alert:")
    assert {name for one in expressions for name in USED.findall(one)} <= set(SERIES)


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows_and_asks_for_labels_that_exist(panel):
    """Title, description, unit, and only labels of its own metrics; rates by Grafana's interval or a fixed window."""
    assert panel.title
    assert len(panel.about) > 20
    assert panel.unit
    for legend, expression in panel.queries.items():
        metrics = [SERIES[name] for name, _ in SELECTOR.findall(expression)]
        allowed = ADDED.union(*(metric.labels for metric in metrics))
        for name, labels in SELECTOR.findall(expression):
            asked = set(re.findall(r"(\w+)(?:=~|!=|=)", labels))
            assert "job" in asked
            assert asked <= {*SERIES[name].labels, *ADDED}
        for group in GROUPED.findall(expression):
            assert {one.strip() for one in group.split(",")} <= allowed
        assert set(re.findall(r"{{(\w+)}}", legend)) <= allowed
        for window in re.findall(r"(?:rate|increase)\([^[]*\[([^]]*)\]", expression):
            assert window in {"$__rate_interval", "5m", "1h"}
        assert expression.count("(") == expression.count(")")


def test_each_dashboard_has_its_uid_and_variables():
    """Links and alerts point to uids; data source, job, channel and priority are chosen at the top."""
    found = [json.loads(text) for text in documents().values()]
    assert [one["uid"] for one in found] == ["notifier-overview", "notifier-lanes", "notifier-providers"]
    for one in found:
        names = [variable["name"] for variable in one["templating"]["list"]]
        assert names == ["datasource", "job", "channel", "priority"]
        ids = [panel["id"] for panel in one["panels"]]
        assert len(ids) == len(set(ids))
        for panel in one["panels"]:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
            for target in panel.get("targets", []):
                assert target["datasource"]["uid"] == "${datasource}"


def test_no_two_panels_lie_on_one_another():
    for text in documents().values():
        taken = set()
        for panel in json.loads(text)["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken
            taken |= cells
