"""Ids that are made together are as good as those made one by one."""

from datetime import UTC, datetime

from notifier.domain.ids import time_of, uuid7s


def test_ids_of_one_moment_differ_and_tell_it():
    """UUIDv7: version, variant, the moment in front, and randomness behind it."""
    at = datetime(2027, 1, 2, 3, 4, 5, 678000, UTC)
    made = uuid7s(at, 1000)
    assert len(set(made)) == 1000
    assert {one.version for one in made} == {7}
    assert {one.variant for one in made} == {"specified in RFC 4122"}
    assert {time_of(one) for one in made} == {at}
    assert uuid7s(at, 0) == []
