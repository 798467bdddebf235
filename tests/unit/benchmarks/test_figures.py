"""Samples become ratios and ratios verdicts, the same way every time."""

import pytest

from benchmarks.figures import Finding, Pairs, Summary, Target, best_of, percentile, summary


def target(ratio: float, *, at_most: bool = False) -> Target:
    return Target(id="P0", work="ours", against="theirs", unit="/s", ratio=ratio, at_most=at_most)


def test_a_ratio_is_taken_pair_by_pair():
    """A slow minute slows both of a pair, so it hardly moves their ratio."""
    finding = Finding(target=target(0.5), pairs=Pairs((100.0, 10.0, 120.0), (200.0, 20.0, 200.0)))
    assert finding.pairs.ratios == (0.5, 0.5, 0.6)
    assert finding.ratio == Summary(0.5, 0.5, 0.6)


def test_a_summary_is_the_median_with_the_least_and_the_greatest():
    """The mean would follow one bad round."""
    assert summary([5.0, 1.0, 100.0]) == Summary(5.0, 1.0, 100.0)
    assert summary([1.0, 3.0]).median == 2.0


@pytest.mark.parametrize(
    ("ratio", "at_most", "found", "reached", "margin"),
    [
        (0.5, False, 0.5, True, 1.0),
        (0.5, False, 0.25, False, 0.5),
        (2.0, True, 2.0, True, 1.0),
        (2.0, True, 4.0, False, 0.5),
        (2.0, True, 1.0, True, 2.0),
    ],
)
def test_reached_means_as_good_as_the_target(ratio, at_most, found, reached, margin):
    """A latency's ratio is to be small, a rate's large; exactly the target is enough."""
    finding = Finding(target=target(ratio, at_most=at_most), pairs=Pairs((found,), (1.0,)))
    assert finding.reached is reached
    assert finding.margin == margin


@pytest.mark.parametrize("samples", [((), ()), ((1.0,), ()), ((1.0,), (0.0,)), ((-1.0,), (1.0,))], ids=str)
def test_samples_without_a_counterpart_make_no_figure(samples):
    """What was not measured beside the peer, or is no positive number, has no ratio."""
    with pytest.raises(ValueError, match="sample"):
        Pairs(*samples)


def test_the_best_thread_count_of_each_round_counts():
    """Each side is taken at its best, round by round."""
    assert best_of([{8: 10.0, 16: 30.0}, {8: 20.0, 16: 15.0}]) == (30.0, 20.0)


@pytest.mark.parametrize(
    ("samples", "share", "found"),
    [
        (range(1, 101), 0.99, 99),
        (range(1, 101), 0.5, 50),
        ([3, 1, 2], 0.5, 2),
        ([7], 0.99, 7),
        ([1, 2], 0.99, 2),
    ],
    ids=str,
)
def test_a_percentile_is_a_sample_that_was_taken(samples, share, found):
    """Nearest rank: nothing is made up between two samples."""
    assert percentile(list(samples), share) == found
