"""A resource that hangs is seen, held to its bulkhead, then to a quarter, then to probes, and comes back."""

from notifier.scheduling.lanes import LaneState, Run
from notifier.scheduling.policy import LaneOptions, Policy, Rank
from notifier.scheduling.resources import Resource
from notifier.scheduling.scheduler import Scheduler

POLICY = Policy(threads=16)


def a_lane():
    resource = Resource("email", POLICY)
    return resource, LaneState(LaneOptions("email.low", Rank.LOW, "email"), POLICY, resource)


def begin(resource, lane, now):
    run = Run(lane, now, 0.0)
    lane.fresh += 1
    resource.started(run, now)
    return run


def test_a_call_is_overdue_and_stalled_by_the_length_of_successes_however_long():
    resource, lane = a_lane()
    for _ in range(20):
        resource.ended(begin(resource, lane, 0.0), 3.0, ok=True)
    run = begin(resource, lane, 10.0)
    resource.look(21.9)
    assert (run.overdue, run.stalled, resource.health) == (False, False, "well")
    resource.look(22.1)
    assert (run.overdue, run.stalled) == (True, True), "four times the three seconds of the successes"


def test_a_failure_is_no_success_whatever_it_lasted():
    resource, lane = a_lane()
    for _ in range(20):
        resource.ended(begin(resource, lane, 0.0), 30.0, ok=False)
    run = begin(resource, lane, 40.0)
    resource.look(40.3)
    assert run.overdue
    resource.look(42.1)
    assert run.stalled


def test_a_stalled_call_makes_it_suspect_and_a_silence_makes_it_stalled():
    resource, lane = a_lane()
    resource.ended(begin(resource, lane, 0.0), 0.1, ok=True)
    runs = [begin(resource, lane, 0.2) for _ in range(6)]
    resource.look(2.3)
    assert resource.health == "suspect"
    assert resource.refusal(2.3) == "suspect", "six run, four may"
    resource.look(4.1)
    assert resource.health == "suspect"
    resource.look(4.3)
    assert resource.health == "stalled", "four seconds without a success"
    assert resource.refusal(4.4) == "stalled"
    assert resource.next_probe == 9.3
    assert resource.refusal(9.3) == ""
    probes = [begin(resource, lane, 9.3)]
    assert resource.refusal(9.4) == "stalled", "one each five seconds"
    probes.append(begin(resource, lane, 14.3))
    assert resource.refusal(30.0) == "stalled", "an eighth of sixteen threads are out"
    assert resource.next_probe is None
    for run in runs:
        resource.ended(run, 30.2, ok=False)
    resource.look(30.3)
    assert resource.health == "stalled", "that nothing runs any more is no success"


def test_one_success_lifts_it_and_what_hung_before_is_no_evidence():
    resource, lane = a_lane()
    old = [begin(resource, lane, 0.0) for _ in range(10)]
    resource.look(4.1)
    assert resource.health == "stalled"
    probe = begin(resource, lane, 9.2)
    resource.ended(probe, 9.3, ok=True)
    assert resource.health == "well"
    assert resource.probes == 0
    resource.look(9.5)
    assert resource.health == "well"
    # Ten still hang; for eight of them other threads stand in.
    assert resource.counted == 2
    for run in old:
        resource.ended(run, 30.0, ok=False)
    assert resource.counted == 0
    assert resource.residue == 0


def test_what_never_asked_the_resource_says_nothing_of_it():
    resource, lane = a_lane()
    for _ in range(100):
        resource.ended(begin(resource, lane, 0.0), 0.0001, ok=None)
    resource.ended(begin(resource, lane, 0.0), 1.0, ok=True)
    resource.look(1.0)
    assert resource.overdue_age == 4.0


def test_a_probe_that_is_due_and_finds_no_thread_is_no_moment_to_wait_for():
    """An idle thread that a reserve keeps would else look again and again, all its time."""
    scheduler = Scheduler(POLICY, [LaneOptions("email.low", Rank.LOW, "email")])
    lane = scheduler.lanes["email.low"]
    lane.resource.health, lane.resource.probed_at = "stalled", 0.0
    scheduler.arrived(lane, 1.0)
    assert scheduler.next_moment(1.0) == 4.0
    scheduler.running, scheduler.high.threads = POLICY.threads - 1, 1
    assert scheduler.pick(6.0, lambda _: 0.0) is None
    assert lane.reason == "reserve"
    assert scheduler.next_moment(6.0) is None
