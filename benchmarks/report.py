"""What a run found, as a table for people and as a document for machines. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.figures import Finding, Summary, summary

_HEADINGS = ("id", "ours: median (min-max)", "peer: median (min-max)", "ratio (min-max)", "target", "")


def table(findings: Sequence[Finding]) -> str:
    """A line for each figure, with what it is under it."""
    rows = [_HEADINGS, *(_row(finding) for finding in findings)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = []
    for number, row in enumerate(rows):
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if number:
            finding = findings[number - 1]
            lines.append(f"    {finding.target.work}, against {finding.target.against}")
            lines += [f"    {line}" for line in cpu_lines(finding)]
    return "\n".join(lines)


def cpu_lines(finding: Finding) -> list[str]:
    """Where its CPU time went, if that was measured."""
    lines = []
    if "cpu_us" in finding.extra:
        lines.append(f"CPU us a notification: {_parts(finding.extra['cpu_us'])}")
    if "cores" in finding.extra:
        lines.append(
            f"cores: {_parts(finding.extra['cores'])}; with one: {_parts(finding.extra['cores_of_one'])}"
        )
    return lines


def _parts(found: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {short(value)}" for name, value in found.items())


def _row(finding: Finding) -> tuple[str, ...]:
    target = finding.target
    return (
        target.id,
        f"{_ranged(summary(finding.pairs.ours))} {target.unit}",
        f"{_ranged(summary(finding.pairs.peer))} {target.unit}",
        _ranged(finding.ratio),
        f"{'<=' if target.at_most else '>='} {target.ratio:g}",
        verdict(finding),
    )


def verdict(finding: Finding) -> str:
    """In words."""
    return "reached" if finding.reached else "not reached"


def _ranged(found: Summary) -> str:
    return f"{short(found.median)} ({short(found.least)}-{short(found.greatest)})"


def short(value: float) -> str:
    """Three significant digits, and all of a whole number."""
    if value >= 100:  # noqa: PLR2004 - three digits stand before the point
        return f"{value:,.0f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def document(
    findings: Sequence[Finding], environment: Mapping[str, Any], failures: Mapping[str, str]
) -> dict[str, Any]:
    """``{"P1": {"ratio", "target", "reached", "spread", …}, …, "environment": …, "failures": …}``.

    A figure of several parts (P10: p50 and p99) stands as its worst part, with all under ``parts``.
    """
    grouped: dict[str, list[Finding]] = {}
    for finding in findings:
        grouped.setdefault(finding.target.id.partition(" ")[0], []).append(finding)
    return {
        **{name: _entry(parts) for name, parts in grouped.items()},
        "environment": dict(environment),
        "failures": dict(failures),
    }


def _entry(parts: Sequence[Finding]) -> dict[str, Any]:
    if len(parts) == 1:
        return _one(parts[0])
    worst = min(parts, key=lambda part: part.margin)
    named = {part.target.id.partition(" ")[2]: _one(part) for part in parts}
    return {**_judged(worst), "parts": named}


def _one(finding: Finding) -> dict[str, Any]:
    target = finding.target
    return {
        **_judged(finding),
        "work": target.work,
        "against": target.against,
        "unit": target.unit,
        "ours": _said(summary(finding.pairs.ours)),
        "peer": _said(summary(finding.pairs.peer)),
        "samples": {"ours": list(finding.pairs.ours), "peer": list(finding.pairs.peer)},
        **({"extra": finding.extra} if finding.extra else {}),
    }


def _judged(finding: Finding) -> dict[str, Any]:
    return {
        "ratio": finding.ratio.median,
        "target": finding.target.ratio,
        "at_most": finding.target.at_most,
        "reached": finding.reached,
        "spread": [finding.ratio.least, finding.ratio.greatest],
    }


def _said(found: Summary) -> dict[str, float]:
    return {"median": found.median, "min": found.least, "max": found.greatest}
