"""`python -m benchmarks`: runs the scenarios, prints the table, writes JSON and a picture.

"not reached" is a finding and ends with 0; work that was not done as its figure says ends with 1.
"""

import argparse
import json
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from benchmarks import chart, report
from benchmarks.environment import environment, in_words
from benchmarks.figures import Finding
from benchmarks.scenarios import (
    accepts,
    batches,
    drains,
    growth,
    idle,
    lanes,
    limits,
    measures,
    memory,
    picks,
    viewers,
    waits,
)
from benchmarks.sizes import FULL, QUICK
from benchmarks.stage import Stage
from benchmarks.targets import NAMES

_SCENARIOS = (
    picks, measures, viewers, accepts, batches, idle, drains, waits, lanes, limits, memory, growth,
)  # fmt: skip


def main() -> int:
    """The exit status."""
    asked = _arguments()
    # SIGINT too: a shell hands it down ignored to what it starts in the background.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    sizes = QUICK if asked.quick else FULL
    chosen = asked.only or frozenset(NAMES) - sizes.left_out
    findings: list[Finding] = []
    failures: dict[str, str] = {}
    began = time.monotonic()
    with Stage(_say) as stage:
        found = environment(sizes, stage.versions())
        for scenario in _SCENARIOS:
            wanted = frozenset(scenario.IDS) & chosen
            if not wanted:
                continue
            try:
                findings += scenario.run(stage, sizes, wanted)
            except Exception as error:  # noqa: BLE001 - the other figures are still worth having
                failures[", ".join(sorted(wanted))] = f"{type(error).__name__}: {error}"
                _say(f"{scenario.__name__} failed: {error}")
    found["seconds"] = round(time.monotonic() - began)
    _write(
        asked.json,
        report.document(findings, found, failures),
        chart.chart(findings, f"notifier, {sizes.name}"),
    )
    _print(findings, in_words(found), failures)
    return 1 if failures else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help="small sizes, under three minutes")
    parser.add_argument("--only", type=_names, help=f"some of {','.join(NAMES)}")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), help="where the figures go")
    return parser.parse_args()


def _names(text: str) -> frozenset[str]:
    names = frozenset(text.upper().split(","))
    if not names <= set(NAMES):
        raise argparse.ArgumentTypeError(f"known are {', '.join(NAMES)}")
    return names


def _write(path: Path, figures: object, picture: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2) + "\n")
    path.with_suffix(".svg").write_text(picture)
    _say(f"wrote {path} and {path.with_suffix('.svg')}")


def _print(findings: list[Finding], setting: str, failures: dict[str, str]) -> None:
    lines = [setting, *([report.table(findings)] if findings else [])]
    lines += [f"{names}: FAILED, {reason}" for names, reason in failures.items()]
    sys.stdout.write("\n".join(lines) + "\n")


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _leave(number: int, _frame: object) -> NoReturn:
    # As an exception, so that everything that was started is ended; a second signal must not cut that short.
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
