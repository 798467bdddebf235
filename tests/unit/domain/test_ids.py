"""Ids: ordered by time, told apart by chance, and read back from exactly one text."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.ids import first_id_at, notification_id, parse_notification_id, time_of, uuid7

NOW = datetime(2026, 7, 1, 12, 0, 0, 123_000, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


def floored(moment):
    return moment - timedelta(microseconds=moment.microsecond % 1000)


@given(MOMENTS, st.binary(min_size=10, max_size=10))
def test_an_id_is_a_uuid7_that_tells_its_time(moment, random):
    """RFC 9562, 5.7: version 7, the RFC's variant, milliseconds in front."""
    value = uuid7(moment, random)
    assert (value.version, value.variant) == (7, "specified in RFC 4122")
    assert time_of(value) == floored(moment)
    assert parse_notification_id(notification_id(value)) == value


@given(MOMENTS, MOMENTS)
def test_ids_sort_by_the_millisecond_they_were_made(one, other):
    first, second = sorted((one, other))
    if floored(first) < floored(second):
        assert uuid7(first) < uuid7(second)
        assert str(uuid7(first)) < str(uuid7(second))


@given(MOMENTS, st.binary(min_size=10, max_size=10))
def test_no_id_of_a_moment_is_below_its_bound(moment, random):
    assert first_id_at(moment) <= uuid7(moment, random)
    assert first_id_at(moment + timedelta(milliseconds=1)) > uuid7(moment, random)


def test_ids_of_one_moment_differ():
    assert len({uuid7(NOW) for _ in range(10_000)}) == 10_000


def test_a_moment_of_another_zone_is_the_same_moment():
    assert time_of(uuid7(NOW.astimezone())) == NOW


GOOD = notification_id(uuid7(NOW, bytes(10)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ntf_",
        GOOD[4:],
        GOOD.upper(),
        "NTF_" + GOOD[4:],
        "ntf_" + GOOD[4:].upper(),
        GOOD + " ",
        " " + GOOD,
        GOOD[:-1],
        GOOD + "0",
        GOOD[:-1] + "\n",
        GOOD[:-1] + "g",
        "ntf-" + GOOD[4:],
        "msg_" + GOOD[4:],
        "ntf_" + GOOD[4:].replace("-", ""),
        "ntf_{" + GOOD[4:-2] + "}",
        "ntf_" + "_" * 36,
        GOOD[:-2] + "_0",
        GOOD[:-1] + "\u0660",
        "ntf_" + "0" * 36,
        "ntf_urn:uuid:" + GOOD[4:31],
        "x" * 100_000,
    ],
)
def test_a_foreign_text_is_no_id(text):
    assert parse_notification_id(text) is None


@given(
    st.text(max_size=45)
    | st.text(alphabet="0123456789abcdef-_{}", min_size=36, max_size=36).map("ntf_".__add__)
)
def test_any_text_is_an_id_or_none(text):
    value = parse_notification_id(text)
    assert value is None or notification_id(value) == text


def test_an_id_of_any_uuid_version_is_read():
    """A foreign but well-formed id is answered 404 by the lookup, not by the form."""
    value = uuid4()
    assert parse_notification_id(f"ntf_{value}") == value
    assert parse_notification_id(f"ntf_{UUID(int=0)}") == UUID(int=0)
