"""`python -m benchmarks.readme [RUN.json …]`: writes the tables and the plot of the documents from what runs found.

Of several runs a later one's figures replace an earlier one's. README.md and docs/performance.md get the figures,
docs/scaling.md the CPU of one notification with the cores that follow, docs/images/bench.svg the plot.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import markdown
from benchmarks.chart import chart
from benchmarks.markdown import between, cpu_of, findings_of

ROOT = Path(__file__).parents[1]
_RUN = Path("build/bench.json")


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readme")
    parser.add_argument("runs", nargs="*", type=Path, default=[_RUN], metavar="RUN.json")
    runs = [json.loads(path.read_text()) for path in parser.parse_args().runs]
    for path, text in documents(runs, ROOT).items():
        path.write_text(text)
        sys.stderr.write(f"wrote {path.relative_to(ROOT)}\n")
    return 0


def documents(runs: Sequence[Mapping[str, Any]], root: Path) -> dict[Path, str]:
    """Each document as it is to be. CPU tables are left as they are where P1, P3 or P4 was not measured."""
    found = findings_of(runs)
    told = "\n\n".join([markdown.figures(found, "P"), measured_on(runs)])
    everything = "\n\n".join([markdown.figures(found, "PL"), measured_on(runs)])
    readme, performance, scaling = (
        root / name for name in ("README.md", "docs/performance.md", "docs/scaling.md")
    )
    made = {
        readme: between(readme.read_text(), "bench", told),
        performance: between(performance.read_text(), "bench", everything),
        root / "docs/images/bench.svg": chart(list(found.values()), "notifier, by its targets"),
    }
    cpu = cpu_of(found)
    if len(cpu) == len(("P1", "P3", "P4")):
        sources = [run for run in runs if cpu.keys() & run.keys()]
        text = between(scaling.read_text(), "cpu", f"{markdown.cpu_table(cpu)}\n\n{measured_on(sources)}")
        made[scaling] = between(text, "cores", markdown.core_table(cpu))
    return made


def measured_on(runs: Sequence[Mapping[str, Any]]) -> str:
    """Of each run which figures, how large, and on what."""
    return "\n".join(_measured_on(run) for run in runs)


def _measured_on(run: Mapping[str, Any]) -> str:
    names = ",".join(name for name in run if name not in {"environment", "failures"})
    where, sizes = run["environment"], run["environment"]["sizes"]
    servers = ", ".join(f"{name} {number}" for name, number in where["servers"].items())
    once = "" if sizes["rounds"] == 1 else f", {sizes['rounds']} rounds"
    busy = where["load_before"] > where["cpus"]
    crowded = " (more than its CPUs: other work ran just before or beside it)" if busy else ""
    return (
        f"- `make bench{'-quick' if sizes['name'] == 'quick' else ''} ONLY={names}`{once}: {where['cpus']} CPUs, "
        f"Python {where['python']}, {servers}, load before {where['load_before']}{crowded}."
    )


if __name__ == "__main__":
    sys.exit(main())
