"""What Settings say of lanes: parsed, checked, and handed to the scheduler as they are meant."""

import pytest

from notifier.bootstrap.scheduling import lane_options, make_policy
from notifier.scheduling.policy import Rank
from notifier.settings import SettingsError, load_settings


def settings(**given):
    return load_settings({}, overrides=given)


def test_the_defaults_are_the_designs():
    policy = make_policy(settings(), 32)
    assert (policy.weights, policy.reserve_parts, policy.room) == ((4, 2, 1), (8, 16), 8)
    lanes = lane_options(settings())
    assert len(lanes) == 9
    high = next(lane for lane in lanes if lane.name == "notifier.v1.email.high")
    assert (high.rank, high.resource, policy.weight_of(high), high.minimum) == (Rank.HIGH, "email", 4, 1)


def test_a_priority_and_a_lane_may_be_named():
    given = settings(
        lane_weights="low=0.5 email.high=8", lane_minimums="high=2 sms.low=0", queue_prefix="x.v2"
    )
    policy = make_policy(given, 8)
    lanes = {lane.name: lane for lane in lane_options(given)}
    assert policy.weights == (4, 2, 0.5)
    assert policy.weight_of(lanes["x.v2.email.high"]) == 8
    assert policy.weight_of(lanes["x.v2.sms.high"]) == 4
    minimums = [lanes[f"x.v2.{name}"].minimum for name in ("push.high", "sms.low", "sms.medium")]
    assert minimums == [2, 0, 1]


@pytest.mark.parametrize(("threads", "percent", "room"), [(32, 25, 8), (32, 0, 0), (1, 90, 0), (8, 30, 3)])
def test_a_bulkhead_keeps_so_much_and_leaves_one_thread(threads, percent, room):
    assert make_policy(settings(bulkhead_percent=percent), threads).room == room


def test_a_reserve_of_none_keeps_no_thread():
    assert make_policy(settings(lane_reserves="high=0 medium=0"), 32).reserve_parts == (0, 0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"lane_weights": "high"}, "email.low"),
        ({"lane_weights": "urgent=4"}, "names are high, medium, low, email.high"),
        ({"lane_weights": "high=0"}, "from 0.01 to 1000"),
        ({"lane_weights": "high=4 high=5"}, "weights"),
        ({"lane_weights": "high=1e9"}, "weights"),
        ({"lane_weights": "high=-1"}, "weights"),
        ({"lane_minimums": "high=1.5"}, "numbers of threads"),
        ({"lane_minimums": "high=33"}, "NOTIFIER_WORKER_THREADS"),
        ({"lane_reserves": "low=4"}, "names are high, medium"),
        ({"bulkhead_percent": "91"}, "from 0 to 90"),
    ],
)
def test_what_could_not_work_is_refused_naming_what_is_allowed(given, said):
    with pytest.raises(SettingsError) as raised:
        settings(**given)
    ((name, allowed),) = raised.value.problems
    assert name == f"NOTIFIER_{next(iter(given)).upper()}"
    assert said in allowed
