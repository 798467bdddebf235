"""Processes that die at the worst moments, beside whole ones under load (F21; promises 1 to 4).

Each point of `NOTIFIER_CRASH_AT` in the process that reaches it. Nothing is lost at any of them. With one
thread exactly what the plan says is sent again: one for each death at `after_send`, nothing at any other.
With eight, neighbours that were sent and not yet stored are too: never anything else, and all are marked.
"""

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.acceptance.fleet import ready
from tests.nodes.waiting import wait_until
from tests.storms.kit.case import Case
from tests.storms.kit.doomed import (
    Newcomers,
    Salvoes,
    held_by,
    other_relays_standing_still,
    owed,
    wait_for_death,
    wait_for_relay_death,
)
from tests.storms.kit.form import FULL, either, patience
from tests.storms.kit.installation import USUAL_DELAY, Installation, Part
from tests.storms.kit.load import email

THREADS = 8
#: The provider takes so long (s) that one thread can't have sent its second message when its first is stored,
#: however crowded the machine is; and so many come a second that two whole workers keep up with them.
SLOW, PACE = [0.7, 0.9], 14
#: Deaths at each point of a worker of one thread and of a relay, at full count.
ROUNDS = 12
#: Threads of a doomed worker, in turn.
CREWS = (1, THREADS) if FULL else (1,)
#: Seconds ahead for which some are asked, so that a relay marks them as due.
AHEAD = 1.0

PAIRS = [
    ("before_commit", "after_claim"),
    ("after_commit", "after_send"),
    ("after_publish", "after_store"),
    ("after_confirm", "before_ack"),
]


@pytest.fixture(scope="module")
def installation(make_installation):
    """One account without a limit: a claim that is given back because its permit has passed is stored as well, and
    would end a worker at `after_store` with nothing sent."""
    return make_installation(NOTIFIER_EMAIL_PROVIDERS="smtp://127.0.0.1:{port}")


def test_doors_and_workers_die(case, installation):
    """F21. What they left undone whole ones do; a worker of one thread repeats what the plan says, no more."""
    healthy, open_at = list(installation.ports), dict[tuple[str, int], Counter[str]]()
    with slow_provider(installation), case("F21", "doors and workers", pace=PACE, doors=healthy) as storm:
        salvoes = Salvoes(storm, healthy)
        for (door_point, worker_point), threads in itertools.product(PAIRS, CREWS):
            held = open_at.setdefault((worker_point, threads), Counter())
            for _ in range(either(short=1, full=ROUNDS if threads == 1 else 3)):
                storm.wait_for_load()
                door = a_doomed_door(installation, door_point)
                it_dies(installation, door, door_point, salvoes)
                # Looked at as soon as it is dead: with its lease its claims are another's.
                newcomers = Newcomers(installation.engine, "worker")
                worker = installation.add_worker(threads=threads, NOTIFIER_CRASH_AT=worker_point)
                held.update(what_is_held(installation, worker, newcomers, worker_point))
                storm.hit(faults=2, bound=may_be_repeated(worker_point, threads))
        storm.finish()
        check_repeated(storm, open_at)


def test_relays_die(case, installation):
    """F21. Bells are owed in the transaction that says that they are due; what rang twice is sent once.

    What `relay_mid_publish` finds to publish a door has left that died at `after_commit`.
    """
    healthy = list(installation.ports)
    with case("F21", "relays", pace=20, body=some_due, doors=healthy) as storm:
        salvoes = Salvoes(storm, healthy)
        for _ in storm.repeats(short=1, full=ROUNDS):
            with a_doomed_relay(installation, "relay_after_update") as newcomers:
                wait_for_relay_death(newcomers)
                due = {one for number, ids in storm.rows().ids.items() if is_due(number) for one in ids}
                assert owed(installation.engine) & due, "the bells it had not rung"
            storm.hit()
            door = a_doomed_door(installation, "after_commit")
            with a_doomed_relay(installation, "relay_mid_publish") as newcomers:
                it_dies(installation, door, "after_commit", salvoes)
                wait_for_relay_death(newcomers)
                assert owed(installation.engine) & salvoes.kept(), "what it had published, and what not"
            storm.hit(faults=2)


def may_be_repeated(point: str, threads: int) -> int:
    """The plan's figures for one death: exact for one thread, a bound for eight."""
    if point == "after_claim":
        return 0
    return 2 * threads if threads > 1 else int(point == "after_send")


def check_repeated(storm: Case, open_at: dict[tuple[str, int], Counter[str]]) -> None:
    """Each death of one thread after a send costs one; eight threads what they had not stored; others nothing."""
    again = sent_again(storm)
    for (point, threads), held in open_at.items():
        storm.remark(f"{point}_{threads}", sum(again[one] for one in held))
    exact = open_at["after_send", 1]
    assert sum(exact.values()) == either(short=1, full=ROUNDS)
    assert not exact - again, "what one thread had sent and not stored is sent again"
    others = {one for (_, threads), held in open_at.items() if threads > 1 for one in held}
    assert set(again - exact) <= others, "and what eight threads had not stored, and nothing else"


@contextlib.contextmanager
def slow_provider(installation: Installation) -> Iterator[None]:
    installation.faults.set(delay=SLOW)
    try:
        yield
    finally:
        installation.faults.set(delay=USUAL_DELAY)


def a_doomed_door(installation: Installation, point: str) -> Part:
    """It is ready, and dies with its first request."""
    door = installation.add_door(NOTIFIER_CRASH_AT=point)
    wait_until(lambda: ready(door.port), patience(30), "the doomed door")
    return door


def it_dies(installation: Installation, door: Part, point: str, salvoes: Salvoes) -> None:
    """A doomed door gets requests of its own; those it did not answer are asked again of the others."""
    heard = salvoes.fire_at(door.port)
    assert wait_for_death(installation, door) == -9
    if point == "before_commit":
        assert not salvoes.kept()
        assert not salvoes.keys_kept()
    else:
        assert salvoes.kept()
    if point != "after_confirm":
        assert {one.status for one in heard} == {0}, "nobody heard a 202"
    again = salvoes.fire_again()
    assert all(before.id in {"", after.id} for before, after in zip(heard, again, strict=True))


def what_is_held(
    installation: Installation, worker: Part, newcomers: Newcomers, point: str
) -> frozenset[str]:
    """What a doomed worker had claimed and not stored; that it reached its point shows in what it left."""
    assert wait_for_death(installation, worker) != 0, "the launcher ends its other children and says so"
    (owner,) = newcomers.found()
    held = held_by(installation.engine, owner)
    sent = held.open & set(installation.sunk.refresh().counts)
    reached = {
        "after_claim": held.open and not sent and not held.stored,
        "after_send": sent and not held.stored,
        "after_store": held.stored,
        "before_ack": held.stored,
    }
    assert reached[point], f"{len(held.open)} open, {len(sent)} of them sent, {len(held.stored)} stored"
    return held.open


def sent_again(storm: Case) -> Counter[str]:
    """How often each notification of the run was handed over more than once."""
    counts = storm.installation.sunk.refresh().counts
    ours = {one for ids in storm.rows().ids.values() for one in ids}
    return Counter({one: counts[one] - 1 for one in ours if counts[one] > 1})


@contextlib.contextmanager
def a_doomed_relay(installation: Installation, point: str) -> Iterator[Newcomers]:
    """Inside, it alone works until it dies; the worker of its launch is whole and then ends in order."""
    newcomers = Newcomers(installation.engine, "relay")
    worker = installation.add_worker(NOTIFIER_CRASH_AT=point)
    with other_relays_standing_still(installation, newcomers):
        yield newcomers
    assert installation.stop_part(worker) == 0
    installation.remove(worker)


def is_due(number: int) -> bool:
    """Whether a relay has to mark the notification of this number."""
    return number % 4 == 0


def some_due(number: int) -> dict[str, object]:
    """A request; some are due a moment later."""
    due = {"send_at": (datetime.now(UTC) + timedelta(seconds=AHEAD)).isoformat()}
    return email(number) | (due if is_due(number) else {})
