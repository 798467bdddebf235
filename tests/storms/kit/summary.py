"""Every case's counts at the end of a run: a table for people and `build/storm.json` for machines."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_COLUMNS = (
    *("fault", "case", "subject", "faults", "attempted", "ok", "lost", "unexpected"),
    *("duplicated", "bound", "recovered"),
)


def recorded(reports: Iterable[Any]) -> list[dict[str, Any]]:
    """What cases noted with `record_property("storm", …)`, in the order of the faults' numbers."""
    found = [value for one in reports for name, value in one.user_properties if name == "storm"]
    return sorted(found, key=lambda case: (int(case["fault"][1:]), case["case"], case["subject"]))


def table(cases: list[dict[str, Any]]) -> list[str]:
    """The lines of the table, with a line of sums for what was done to us."""
    ours = [case for case in cases if case["subject"] == "notifier"]
    sums = {name: sum(case.get(name) or 0 for case in ours) for name in _COLUMNS[3:]}
    rows = [_row(case) for case in cases]
    rows.append(["all", f"{len(ours)} cases", "notifier", *(str(sums[name]) for name in _COLUMNS[3:]), ""])
    head = [*_COLUMNS, "remarks"]
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head) - 1)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in [head, *rows]
    ]


def _row(case: dict[str, Any]) -> list[str]:
    cells = ["-" if case.get(name) is None else str(case[name]) for name in _COLUMNS]
    remarks = ", ".join(f"{name} {value}" for name, value in (case.get("remarks") or {}).items())
    note = case.get("note") or ""
    problems = "; ".join(case.get("problems") or [])
    return [*cells, " · ".join(part for part in (remarks, note, problems) if part)]


def write(cases: list[dict[str, Any]], path: Path, *, form: str, seed: int) -> None:
    """Keep the cases as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"form": form, "seed": seed, "cases": cases}, indent=1) + "\n")
