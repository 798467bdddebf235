"""The simulator itself: its steps change nothing, its sums are right, and it ends."""

import pytest

from notifier.cli.plots import longest_waits, running
from notifier.scheduling.figures import measure
from notifier.scheduling.policy import Policy
from notifier.scheduling.scenarios import SCENARIOS
from notifier.scheduling.simulation import LaneResult, Simulation


def simulation(name, threads=8, seconds=12.0, **options):
    return Simulation(
        Policy(threads=threads), SCENARIOS[name].traffic(threads), seconds=seconds, seed=3, **options
    )


@pytest.mark.parametrize("name", ["flood", "bursts"])
def test_in_how_many_steps_it_runs_changes_nothing(name):
    whole, parts = simulation(name).run(), simulation(name)
    for step in range(1, 121):
        parts.advance(step / 10)
    parts.close()
    assert whole.starts == parts.starts
    assert whole.moves == parts.moves


def test_looking_at_figures_changes_nothing():
    watched, seen = simulation("flood"), []
    measure(watched, 5.0, seen.append)
    assert watched.starts == simulation("flood").run().starts
    assert sum(seen) == 12.0


def test_a_provider_that_hangs_ends_under_either_rule():
    """The strict order has no probes to wait for: it must not ask for one again and again."""
    for rule in ("lanes", "heap"):
        done = simulation("hung", 4, 36.0, rule=rule).run()
        assert len(done.starts) < 10_000


def test_a_message_that_never_started_counts_with_its_age():
    figures = measure(simulation("all-high", seconds=8.0, rule="heap"), 4.0)
    low = figures.lanes[-1]
    assert (low.lane, low.starts) == ("email.low", 0)
    assert low.left > low.arrivals > 0
    assert 0 < low.wait_p50_ms < low.wait_max_ms <= 4000


def test_running_threads_are_the_mean_of_each_step():
    result = LaneResult("a", spans=[(0.0, 2.0), (0.5, 1.5)])
    assert running(result, 4.0, 4) == [1.5, 1.5, 0.0, 0.0]


def test_the_longest_wait_of_each_step_is_by_arrival():
    result = LaneResult("a", waits=[(0.1, 0.2), (0.9, 0.1), (1.5, 1.0)], left=[3.5])
    assert longest_waits([result], 4.0, 4) == [(0.5, 0.2), (1.5, 1.0), (3.5, 0.5)]
