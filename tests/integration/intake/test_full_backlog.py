"""A full backlog turns new requests away by priority, never the answer to one that was kept before."""

import hashlib

import pytest

from notifier.domain.errors import BacklogFull
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.notification import Content, NewNotification
from notifier.domain.recipients import PhoneNumber
from notifier.intake.accept import Intake, Submission
from notifier.intake.admission import Admission, Level, Limits
from notifier.intake.groups import GroupWriter
from notifier.storage import changes
from notifier.storage.engine import Use, make_engine


@pytest.fixture
def engine(migrated_url):
    engine = make_engine(migrated_url, Use(name="test"))
    yield engine
    engine.dispose()


@pytest.fixture
def admission():
    return Admission(Limits(pending=10))


@pytest.fixture
def intake(engine, admission):
    intake = Intake(GroupWriter(engine), admission, lambda _rows: None)
    intake.start()
    yield intake
    intake.stop()


def request(priority: Priority, key: str | None = None) -> Submission:
    new = NewNotification(
        tenant="default",
        api_key="k",
        lane=Lane(Channel.SMS, priority),
        recipient=PhoneNumber("+14155552671"),
        content=Content(text="hi"),
    )
    return Submission(
        notifications=[new],
        tenant="default",
        api_key="k",
        route="POST /v1/notifications",
        body_hash=hashlib.sha256(str(priority).encode()).digest(),
        respond=lambda made: str(made[0].id).encode(),
        idempotency_key=key,
    )


@pytest.mark.parametrize(
    ("pending", "refused"),
    [
        (9, set()),
        (10, {Priority.LOW}),
        (11, {Priority.LOW, Priority.MEDIUM}),
        (12, set(Priority)),
    ],
)
def test_low_is_refused_first_then_medium_high_last(intake, admission, pending, refused):
    """Promise 7: above the limit Low then Medium get `backlog_full`, High last."""
    admission.level = Level(pending=pending)
    found = set()
    for priority in Priority:
        try:
            intake.submit_and_wait(request(priority))
        except BacklogFull:
            found.add(priority)
    assert found == refused


def test_a_replay_gets_its_first_answer_however_full_it_is(intake, admission, engine):
    """The Idempotency-Key of a kept request answers; a new key is refused and not used up."""
    first = intake.submit_and_wait(request(Priority.LOW, "one"))
    admission.level = Level(pending=1_000)
    again = intake.submit_and_wait(request(Priority.LOW, "one"))
    assert (again.answer, again.replayed) == (first.answer, True)
    with pytest.raises(BacklogFull):
        intake.submit_and_wait(request(Priority.LOW, "two"))

    admission.level = Level()
    late = intake.submit_and_wait(request(Priority.LOW, "two"))
    assert not late.replayed
    assert sum(changes.counts(engine).values()) == 2
