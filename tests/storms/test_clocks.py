"""Hosts whose clocks are wrong by hours and jump (F19, promise 12): the database's clock decides."""

import itertools
from datetime import datetime, timedelta

import pytest

from notifier.domain.ids import parse_notification_id
from notifier.storage import attempts
from tests.nodes.skewed_clock import SkewedClock
from tests.storms.kit import form
from tests.storms.kit.installation import USUAL_DELAY

HOUR = 3600.0
#: Requests a second: libfaketime makes all processes of one clock take turns whenever one asks the time.
PACE = 8
#: Every retry is due within this many seconds; the relay looks once a second.
LONGEST_WAIT = 2.0
RETRIES = {
    f"NOTIFIER_RETRY_{priority}_{end}_SECONDS": str(LONGEST_WAIT)
    for priority in ("HIGH", "MEDIUM", "LOW")
    for end in ("BASE", "CAP")
}


@pytest.fixture
def clocks(tmp_path):
    """Two wrong clocks: an hour ahead, an hour behind."""
    ahead, behind = (SkewedClock(tmp_path / name) for name in ("ahead", "behind"))
    ahead.skew(HOUR)
    behind.skew(-HOUR)
    return ahead, behind


@pytest.fixture
def installation(make_installation, clocks):
    """A door and a worker an hour ahead, a door and a worker an hour behind."""
    made = make_installation(doors=0, workers=0, **RETRIES)
    for clock in clocks:
        made.add_door(**clock.environment())
        made.add_worker(**clock.environment())
    made.wait_whole()
    return made


def late_retries(installation, ids) -> list[timedelta]:
    """By how much each retry began outside of the time it was due in."""
    found = []
    for one in ids:
        parsed = parse_notification_id(one)
        assert parsed is not None
        tries = attempts.of(installation.engine, "default", parsed)
        for earlier, later in itertools.pairwise(tries):
            begun, next_begun = (datetime.fromisoformat(one["started_at"]) for one in (earlier, later))
            waited = next_begun - begun - timedelta(milliseconds=earlier["duration_ms"])
            found.append(max(timedelta(0) - waited, waited - timedelta(seconds=LONGEST_WAIT)))
    return found


@pytest.mark.full
def test_wrong_clocks_change_nothing(case, installation, clocks):
    """Accepting, leases, retries and expiry by the database's clock: nothing lost, stolen early or sent twice."""
    with case("F19", "clocks an hour ahead and behind, and jumping", pace=PACE) as storm:
        for turn in storm.repeats(short=1, full=3):
            installation.faults.set(reply={"DATA": "451 4.3.0 later"}, share=0.3, delay=USUAL_DELAY)
            storm.wait_for_load(40)
            for clock in clocks:
                clock.skew(HOUR * (turn + 2) * storm.dice.choice([-1, 1]))
                storm.hit()
            storm.wait_for_load(40)
            installation.faults.set(delay=USUAL_DELAY)
            storm.wait_for_sending(40)
    retried = late_retries(installation, storm.load.accepted.values())
    assert len(retried) > 10
    assert max(retried) <= timedelta(seconds=form.patience(2.0))
