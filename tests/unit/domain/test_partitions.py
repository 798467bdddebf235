"""The stretches of time that notifications are kept in: without gaps, without overlaps, ahead of what comes."""

from datetime import UTC, datetime, timedelta

import pytest

from notifier.domain.partitions import AHEAD, PARTS, Stretch, bounds_of, days, missing, reaches, stretch_named

NOW = datetime(2026, 11, 30, 20, 15, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(("kept", "long"), [(1, 1), (6, 1), (7, 2), (30, 5), (365, 61), (3650, 609)])
def test_a_retention_is_a_handful_of_stretches_of_whole_days(kept, long):
    assert days(kept) == long
    assert long * PARTS >= kept


@pytest.mark.parametrize("kept", [1, 7, 30, 3650])
def test_what_is_missing_reaches_ahead_without_a_gap(kept):
    """From this midnight on where nothing is there yet; then each stretch begins where the last one ends."""
    made = missing(NOW, kept, [], apart=False)
    assert made[0].begin == datetime(2026, 11, 30, tzinfo=UTC)
    assert reaches(made, NOW) >= AHEAD
    assert all(one.end - one.begin == days(kept) * DAY for one in made)
    assert missing(NOW, kept, made, apart=False) == []
    later = missing(NOW + 10 * DAY * days(kept), kept, made, apart=False)
    assert later[0].begin >= made[-1].end


@pytest.mark.parametrize("hour", [0, 12, 23])
def test_apart_from_rows_the_first_one_begins_a_day_ahead_at_least(hour):
    now = NOW.replace(hour=hour, minute=59)
    (first, *_) = missing(now, 30, [], apart=True)
    assert DAY < first.begin - now <= 2 * DAY
    assert first.begin.time() == datetime.min.time()


def test_a_new_retention_changes_what_is_made_from_then_on():
    made = missing(NOW, 30, [], apart=False)
    (added, *_) = missing(made[-1].end - DAY, 1, made, apart=False)
    assert (added.begin, added.end - added.begin) == (made[-1].end, DAY)


def test_a_stretch_has_gone_once_its_last_moment_is_older_than_what_is_kept():
    one = Stretch(NOW - 40 * DAY, NOW - 30 * DAY)
    assert one.has_gone(NOW, 30 * DAY)
    assert not one.has_gone(NOW - timedelta(seconds=1), 30 * DAY)


def test_a_gap_ends_the_reach():
    one, other = Stretch(NOW - DAY, NOW + DAY), Stretch(NOW + 2 * DAY, NOW + 9 * DAY)
    assert reaches([other, one], NOW) == DAY
    assert reaches([other], NOW) == timedelta()


def test_a_partition_s_name_and_bounds_say_its_stretch():
    one = Stretch(datetime(2026, 11, 30, tzinfo=UTC), datetime(2026, 12, 5, tzinfo=UTC))
    assert stretch_named(one.name) == one
    low, high = one.ids
    assert bounds_of(f"FOR VALUES FROM ('{low}') TO ('{high}')") == one


@pytest.mark.parametrize(
    "name",
    ["notifications_default", "notifications_20261130_20261130", "notifications_20261399_20270101", "x"],
)
def test_other_tables_are_nobody_s_partition(name):
    assert stretch_named(name) is None
    assert bounds_of("DEFAULT") is None
