"""docs/scaling.md tells the truth: its simulated waits are made again by the commands it names."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from notifier.cli import main

PAGE = (Path(__file__).parents[3] / "docs" / "scaling.md").read_text()
ROWS = re.findall(
    r"^\| [^|]+ \| [\d,]+ \| [^|]+ \| ([\d/ ms]+) \| ([\d/ ms]+) \| `notifier (simulate [^`]+)` \|$",
    PAGE,
    re.MULTILINE,
)


def test_every_size_has_its_row():
    assert len(ROWS) == 3


@pytest.mark.parametrize(("high", "low", "command"), ROWS[:1], ids=[row[2][-12:] for row in ROWS[:1]])
def test_the_simulated_waits_are_current(high, low, command):
    """The quick one runs again; the others differ from it in numbers only."""
    ended = CliRunner().invoke(main, [*command.split(), "--json"])
    assert ended.exit_code == 0, ended.output
    (rule,) = json.loads(ended.stdout)["rules"]
    lanes = {one["lane"]: one for one in rule["lanes"]}
    for told, lane in ((high, lanes["sms.high"]), (low, lanes["email.low"])):
        waits = [lane["wait_p50_ms"], lane["wait_p99_ms"]]
        assert [float(one) for one in re.findall(r"\d+", told)] == pytest.approx(waits, rel=0.05, abs=0.6)
