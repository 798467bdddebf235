"""The table in `docs/metrics.md`, made from the code: ``python -m tests.metric_pages`` writes it anew.

`tests/unit/telemetry/test_pages.py` holds that the committed page is current.
"""

import re
import sys
from pathlib import Path

from notifier.telemetry.metrics import TABLE, Metric

PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"
_TABLE = re.compile(r"(<!-- metrics -->\n).*?(<!-- end -->\n)", re.DOTALL)


def rendered(page: str) -> str:
    """`page` with its table made anew."""
    lines = [("metric", "kind", "labels", ""), ("---",) * 4, *map(_row, TABLE)]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return _TABLE.sub(lambda found: found[1] + table + found[2], page)


def _row(metric: Metric) -> tuple[str, ...]:
    meaning = metric.meaning
    if metric.buckets:
        meaning += f" Buckets: {', '.join(f'{bound:g}' for bound in metric.buckets)}."
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"`{metric.name}`", str(metric.kind), labels, meaning


def main() -> int:
    """Write the page; 1 if it was not current."""
    old = PAGE.read_text()
    new = rendered(old)
    PAGE.write_text(new)
    return int(old != new)


if __name__ == "__main__":
    sys.exit(main())
