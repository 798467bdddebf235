"""The same promises with no servers at all: SQLite and the queue in memory (F29)."""

import pytest

from notifier.telemetry.signals import CRASH_POINTS
from tests.nodes.waiting import wait_until
from tests.storms.kit import form
from tests.storms.kit.embedded import Embedded
from tests.storms.kit.installation import USUAL_DELAY

#: What eight threads may have sent and not stored.
BOUND = 16
RETRIES = {
    f"NOTIFIER_RETRY_{priority}_{end}_SECONDS": "0.5"
    for priority in ("HIGH", "MEDIUM", "LOW")
    for end in ("BASE", "CAP")
}


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """`notifier dev` in a folder of its own."""
    with Embedded(tmp_path_factory.mktemp("embedded"), **RETRIES) as made:
        made.begin()
        yield made


def test_it_is_killed_in_the_middle_of_commits(case, installation):
    """F29, F1. -9 at any moment: what was answered 202 is on disk, and the queue is made anew from it."""
    with case("F29", "notifier dev kill -9") as storm:
        for _ in storm.repeats(short=2, full=30):
            storm.wait_for_load(storm.dice.randrange(10, 100))
            installation.kill_part(installation.dev)
            storm.hit(bound=BOUND)
            installation.again(installation.dev)


@pytest.mark.full
def test_it_is_restarted_in_order(case, installation):
    """F29, F3. SIGTERM under load: exit 0, nothing lost, nothing sent twice."""
    with case("F29", "notifier dev SIGTERM") as storm:
        for _ in storm.repeats(short=2, full=10):
            assert installation.stop_part(installation.dev) == 0
            storm.hit()
            installation.again(installation.dev)
            storm.wait_for_sending()


@pytest.mark.full
def test_it_dies_at_each_crash_point(case, installation):
    """F29, F21. All in one process: whichever step it dies in, the next start makes it good."""
    with case("F29", "notifier dev at each crash point") as storm:
        for _ in storm.repeats(short=1, full=3):
            for point in storm.dice.sample(sorted(CRASH_POINTS), form.either(short=2, full=10)):
                installation.kill_part(installation.dev)
                installation.again(installation.dev, NOTIFIER_CRASH_AT=point)
                wait_until(lambda: not installation.dev.running, form.patience(30), f"its death at {point}")
                storm.hit(faults=2, bound=2 * BOUND)
                installation.again(installation.dev)


@pytest.mark.full
def test_its_provider_is_away(case, installation):
    """F29, F18. Every answer a 451, then none: all is delivered once it is cured, and nothing twice."""
    with case("F29", "provider refuses for a while") as storm:
        for _ in storm.repeats(short=1, full=3):
            installation.faults.set(reply={"DATA": "451 4.3.0 later"}, delay=USUAL_DELAY)
            storm.hit()
            storm.wait_for_load(200)
            installation.faults.set(delay=USUAL_DELAY)
            storm.wait_for_sending(100)
