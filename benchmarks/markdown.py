"""The figures as tables of a document: what was measured, whose CPU it took, how many cores a load needs. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.figures import Finding, Pairs, Summary, Target, summary
from benchmarks.report import short, verdict
from benchmarks.targets import TARGETS

HEADINGS = ("id", "what", "against", "ours", "theirs", "ratio (min-max)", "target", "")
CPU_HEADINGS = (
    "part",
    "accepting one (P1)",
    "one of a batch (P3)",
    "sending one (P4)",
    "one whole",
    "one core carries",
)
CORE_HEADINGS = ("part", "10^2 a second", "10^4", "10^5")
SIZES = (100, 10_000, 100_000)
#: What a part is called in the samples → in the documents. Not the relay: what is sent at once never passes it.
PARTS = {
    "http": "HTTP process",
    "worker": "worker process",
    "launcher": "its launcher (log)",
    "rabbitmq": "RabbitMQ",
    "postgresql": "PostgreSQL",
}
_NOT_MEASURED = "not measured"


def findings_of(documents: Sequence[Mapping[str, Any]]) -> dict[str, Finding]:
    """The findings of some runs (`report.document`) by target; a later run's replace an earlier one's."""
    found: dict[str, Finding] = {}
    for document in documents:
        for name, entry in document.items():
            if name in {"environment", "failures"}:
                continue
            parts = {f"{name} {part}": one for part, one in entry.get("parts", {}).items()} or {name: entry}
            found |= {part: _finding(part, one) for part, one in parts.items() if part in TARGETS}
    return {name: found[name] for name in TARGETS if name in found}


def _finding(name: str, entry: Mapping[str, Any]) -> Finding:
    samples = entry["samples"]
    pairs = Pairs(tuple(samples["ours"]), tuple(samples["peer"]))
    return Finding(target=TARGETS[name], pairs=pairs, extra=entry.get("extra", {}))


def figures(found: Mapping[str, Finding], letters: str) -> str:
    """A row for each target whose id begins with one of `letters`, measured or not."""
    chosen = [target for target in TARGETS.values() if target.id[0] in letters]
    return _table(HEADINGS, [row(target, found.get(target.id)) for target in chosen])


def row(target: Target, finding: Finding | None) -> tuple[str, ...]:
    """The cells of one figure."""
    cells = ("-", "-", "-") if finding is None else _measured(finding)
    said = _NOT_MEASURED if finding is None else verdict(finding)
    return (target.id, target.work, target.against, *cells, target_words(target), said)


def target_words(target: Target) -> str:
    """What a ratio is to be."""
    return f"{'<=' if target.at_most else '>='} {target.ratio:g}"


def _measured(finding: Finding) -> tuple[str, str, str]:
    unit, pairs = finding.target.unit, finding.pairs
    gap = "" if unit.startswith("/") else " "
    ours, peer = (f"{short(summary(one).median)}{gap}{unit}".strip() for one in (pairs.ours, pairs.peer))
    return ours, peer, ranged(finding.ratio)


def ranged(found: Summary) -> str:
    """A median with its spread; alone where there is but one sample."""
    if found.least == found.greatest:
        return short(found.median)
    return f"{short(found.median)} ({short(found.least)}-{short(found.greatest)})"


def cpu_of(found: Mapping[str, Finding]) -> dict[str, dict[str, float]]:
    """CPU µs for one notification by figure and part, of P1, P3 and P4 where they were measured."""
    return {name: found[name].extra["cpu_us"] for name in ("P1", "P3", "P4") if name in found}


def whole(cpu: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """By part, what one notification costs from its request until its outcome is stored: P1 and P4."""
    return {part: cpu["P1"].get(part, 0.0) + cpu["P4"].get(part, 0.0) for part in PARTS}


def cpu_table(cpu: Mapping[str, Mapping[str, float]]) -> str:
    """µs of CPU for one notification, part by part, and how many one core carries in a second."""
    rows = []
    for part, name in PARTS.items():
        cells = [_us(cpu[figure].get(part)) for figure in ("P1", "P3", "P4")]
        total = whole(cpu)[part]
        rows.append((name, *cells, _us(total), f"{short(1e6 / total)}/s" if total else "-"))
    return _table(CPU_HEADINGS, rows)


def core_table(cpu: Mapping[str, Mapping[str, float]]) -> str:
    """Cores that each part keeps busy at each size: rate x µs / 10^6."""
    rows = [(name, *(short(rate * whole(cpu)[part] / 1e6) for rate in SIZES)) for part, name in PARTS.items()]
    total = sum(whole(cpu).values())
    return _table(CORE_HEADINGS, [*rows, ("together", *(short(rate * total / 1e6) for rate in SIZES))])


def _us(value: float | None) -> str:
    return "-" if value is None else f"{short(value)} us"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def between(text: str, name: str, made: str) -> str:
    """`text` with what stands between its marks ``<!-- name -->`` and ``<!-- /name -->`` replaced; `ValueError` without them."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    head, found, rest = text.partition(begin)
    _, also, tail = rest.partition(end)
    if not found or not also:
        raise ValueError(f"no {begin} … {end}")
    return f"{head}{begin}\n{made}\n{end}{tail}"


def inside(text: str, name: str) -> str:
    """What stands between the marks."""
    return text.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0].strip()
