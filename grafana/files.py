"""The dashboards' files and what stands in them."""

import json
from pathlib import Path

from grafana.lanes import LANES
from grafana.overview import OVERVIEW
from grafana.panels import Dashboard, dashboard_json
from grafana.providers import PROVIDERS

FOLDER = Path(__file__).parent / "dashboards"
DASHBOARDS: tuple[Dashboard, ...] = (OVERVIEW, LANES, PROVIDERS)


def documents() -> dict[str, str]:
    """Each file's name and text."""
    return {
        f"{one.uid.removeprefix('notifier-')}.json": json.dumps(dashboard_json(one), indent=2) + "\n"
        for one in DASHBOARDS
    }
