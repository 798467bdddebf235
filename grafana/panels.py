"""Panels and dashboards of Grafana as JSON values (schema 39, Grafana 10 and newer)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: Grafana's grid has 24 columns.
COLUMNS = 24
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
#: A value mapping: text and colour of a number.
_Words = Mapping[int, tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One question: its title, what the answer means, and expressions by their legends."""

    title: str
    about: str
    queries: Mapping[str, str]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 12
    stacked: bool = False
    #: From which value on it is drawn orange, and red.
    warns: tuple[float, float] | None = None
    #: Where below these it is orange, and red, instead.
    falling: bool = False
    words: _Words = field(default_factory=dict)
    most: float | None = None


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """Rows of panels under one uid that never changes."""

    uid: str
    title: str
    about: str
    rows: Mapping[str, Sequence[Panel]]


def dashboard_json(dashboard: Dashboard) -> dict[str, Any]:
    """The whole document."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.about,
        "tags": ["notifier"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": []},
        "links": [
            {
                "type": "dashboards",
                "title": "notifier",
                "tags": ["notifier"],
                "asDropdown": False,
                "includeVars": True,
                "keepTime": True,
            }
        ],
        "templating": {"list": list(_variables())},
        "panels": list(_laid_out(dashboard.rows)),
    }


def _variables() -> Iterable[dict[str, Any]]:
    yield {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    for name, label, query in (
        ("job", "Job", "label_values(notifier_build_info, job)"),
        ("channel", "Channel", "label_values(notifier_accepted_total, channel)"),
        ("priority", "Priority", "label_values(notifier_accepted_total, priority)"),
    ):
        yield {
            "name": name,
            "label": label,
            "type": "query",
            "datasource": _SOURCE,
            "definition": query,
            "query": {"query": query, "refId": f"variable-{name}"},
            "refresh": 2,
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": ["All"], "value": ["$__all"]},
        }


def _laid_out(rows: Mapping[str, Sequence[Panel]]) -> Iterable[dict[str, Any]]:
    """Panels side by side from left to right, each row under its title."""
    number, top = 0, 0
    for title, panels in rows.items():
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": 1},
        }
        top, left, height = top + 1, 0, 0
        for panel in panels:
            if left + panel.width > COLUMNS:
                top, left, height = top + height, 0, 0
            number += 1
            tall = 4 if panel.kind == "stat" else 8
            place = {"x": left, "y": top, "w": panel.width, "h": tall}
            yield {"id": number, "gridPos": place, **_panel(panel)}
            left, height = left + panel.width, max(height, tall)
        top += height


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": _SOURCE,
                "editorMode": "code",
                "expr": expression,
                "legendFormat": legend,
                "range": True,
            }
            for place, (legend, expression) in enumerate(panel.queries.items())
        ],
        "fieldConfig": {"defaults": _field(panel), "overrides": []},
        "options": _options(panel),
    }


def _field(panel: Panel) -> dict[str, Any]:
    found: dict[str, Any] = {"unit": panel.unit, "min": 0, "thresholds": _thresholds(panel)}
    if panel.most is not None:
        found["max"] = panel.most
    if panel.words:
        options = {
            str(value): {"text": text, "color": color, "index": place}
            for place, (value, (text, color)) in enumerate(panel.words.items())
        }
        found["mappings"] = [{"type": "value", "options": options}]
    if panel.kind == "timeseries":
        found["custom"] = {
            "drawStyle": "line",
            "fillOpacity": 40 if panel.stacked else 8,
            "lineWidth": 1,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "dashed" if panel.warns else "off"},
        }
    return found


def _thresholds(panel: Panel) -> dict[str, Any]:
    if panel.warns is None:
        return {"mode": "absolute", "steps": [{"color": "green", "value": None}]}
    orange, red = panel.warns
    if panel.falling:
        steps = [("red", None), ("orange", red), ("green", orange)]
    else:
        steps = [("green", None), ("orange", orange), ("red", red)]
    return {"mode": "absolute", "steps": [{"color": color, "value": value} for color, value in steps]}


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "stat":
        reduce = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        return {"reduceOptions": reduce, "colorMode": "value", "graphMode": "area", "textMode": "auto"}
    if panel.kind == "state-timeline":
        return {"showValue": "never", "mergeValues": True, "legend": _LEGEND}
    return {"legend": _LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}}


_LEGEND = {"displayMode": "table", "placement": "right", "calcs": ["lastNotNull", "max"], "showLegend": True}
