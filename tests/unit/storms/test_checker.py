"""The checker finds each way in which a storm can break a promise: a checker that sees nothing proves nothing."""

from collections import Counter
from dataclasses import replace

import pytest

from tests.storms.kit.checker import Seen, judge

GOOD = Seen(
    attempted=3,
    ok={0: "a", 1: "b", 2: "c"},
    erred=frozenset(),
    ids={0: {"a"}, 1: {"b"}, 2: {"c"}},
    delivered=Counter(a=1, b=1, c=1),
    known=frozenset(),
    ended=frozenset(),
    waiting=frozenset(),
    marked=frozenset(),
)


def test_a_good_run_has_nothing_wrong():
    """Counts only."""
    verdict = judge(GOOD, 0)
    assert verdict.wrong == ()
    assert (verdict.attempted, verdict.ok, verdict.lost, verdict.duplicated) == (3, 3, 0, 0)


@pytest.mark.parametrize(
    ("changes", "bound", "said"),
    [
        ({"delivered": Counter(a=1, b=1)}, 0, "I1 lost: 1"),
        ({"delivered": Counter(a=1, b=1, c=1, x=1)}, 0, "I2 unexpected: 1"),
        (
            {"delivered": Counter(a=3, b=1, c=1), "marked": {"a"}},
            1,
            "I3 duplicates above the bound of 1: 2",
        ),
        ({"delivered": Counter(a=2, b=1, c=1)}, 1, "I3 duplicates that are not marked: 1"),
        ({"waiting": {"c"}}, 0, "I4 not ended in time: 1"),
        ({"ids": {0: {"a", "z"}, 1: {"b"}, 2: {"c"}}}, 0, "promise 4: keys with two notifications: 1"),
        ({"ids": {0: {"a"}, 1: {"b"}}, "ended": {"c"}}, 0, "promise 1: accepted and not kept: 1"),
    ],
    ids=["lost", "unexpected", "above-bound", "unmarked", "waiting", "twice", "not-kept"],
)
def test_each_broken_promise_is_named(changes, bound, said):
    """With the number of those concerned."""
    assert said in judge(replace(GOOD, **changes), bound).wrong


def test_what_ended_with_a_reason_is_not_lost():
    """Failed, expired, cancelled and held are accounted for."""
    seen = replace(GOOD, delivered=Counter(a=1, b=1), ended={"c"})
    assert judge(seen, 0).wrong == ()


def test_what_earlier_cases_sent_is_not_unexpected():
    """The sink's ledger is shared by all cases of an installation."""
    seen = replace(GOOD, delivered=Counter(a=1, b=1, c=1, old=1), known={"old"})
    assert judge(seen, 0).wrong == ()


def test_sent_though_the_client_saw_an_error_is_recovered():
    """Whether it was accepted in the end or not."""
    seen = replace(GOOD, erred={1, 2}, ok={0: "a", 1: "b"})
    assert judge(seen, 0).recovered == 2


def test_a_call_that_timed_out_may_have_been_a_second_one():
    """Promise 3 allows one duplicate for each."""
    seen = replace(GOOD, delivered=Counter(a=2, b=1, c=1), marked={"a"}, timed_out=1)
    assert judge(seen, 0).wrong == ()
    assert judge(replace(seen, timed_out=0), 0).wrong
