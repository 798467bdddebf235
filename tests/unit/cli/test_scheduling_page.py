"""docs/scheduling.md tells the truth: its outputs and figures are made again by the commands it names."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from notifier.cli import main

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "scheduling.md").read_text()
ROWS = re.findall(
    r"^\| `notifier (simulate [^`]+)` \| ([\w.]+) \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE
)
OUTPUTS = re.findall(r"```console\n\$ notifier ([^\n]+)\n(.*?)\n```", PAGE, re.DOTALL)
QUICK = [row for row in ROWS if re.search(r" (flood|bursts|short-flood) --threads 8", row[0])]


def run(command: str) -> str:
    ended = CliRunner().invoke(main, command.split())
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def numbers(text: str) -> list[float]:
    return [float(one) for one in re.findall(r"\d+(?:\.\d+)?", text)]


@pytest.mark.parametrize(("command", "lane", "heap", "lanes"), QUICK, ids=[row[0] for row in QUICK])
def test_the_table_of_figures_is_current(command, lane, heap, lanes):
    assert len(ROWS) >= 10
    found = {one["rule"]: one for one in json.loads(run(f"{command} --json"))["rules"]}
    for rule, told in (("heap", heap), ("lanes", lanes)):
        (one,) = [each for each in found[rule]["lanes"] if each["lane"] == lane]
        waits = [one[f"wait_{name}_ms"] for name in ("p50", "p99", "max")]
        share = sum(each["share"] for each in found[rule]["lanes"])
        # Rounded there; and a sum may round otherwise in another Python, which moves a pick.
        assert numbers(told) == pytest.approx([*waits, share], rel=0.05, abs=0.6), rule


@pytest.mark.parametrize(("command", "told"), OUTPUTS, ids=[command[:24] for command, _ in OUTPUTS])
def test_the_outputs_are_real(command, told):
    said = run(command).rstrip()
    assert re.sub(r"[\d.\s]+", " ", said) == re.sub(r"[\d.\s]+", " ", told)
    assert numbers(said) == pytest.approx(numbers(told), rel=0.05, abs=1.0)


def test_the_tests_and_pictures_that_it_names_exist():
    tests = "\n".join(path.read_text() for path in (ROOT / "tests/unit/scheduling").glob("*.py"))
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 12
    assert [name for name in sorted(named) if f"def {name}(" not in tests] == []
    for path in re.findall(r"\]\((images/[^)]+|decisions/[^)]+)\)", PAGE):
        assert (ROOT / "docs" / path).is_file(), path
