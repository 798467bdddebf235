"""A provider that is down, slow, or takes a message and does not say so (F18; promises 2, 3, 6 and 10).

Both accounts lead to the same server, so that there is nowhere to go: what is asserted here is that nothing is
lost, that a repeat is marked and belongs to a call whose answer never came, that a wait asked for is kept, and that
other channels go on. How long they take beside a provider that hangs is measured and told, not promised.
"""

import itertools
import math
from collections import defaultdict
from datetime import datetime

import pytest
from sqlalchemy import select

from notifier.domain.ids import notification_id
from notifier.domain.lifecycle import Status
from notifier.storage.tables import attempts, notifications
from tests.nodes.waiting import wait_until
from tests.storms.kit import form
from tests.storms.kit.installation import USUAL_DELAY
from tests.storms.kit.load import Load, email
from tests.storms.kit.observations import rows_of, unended
from tests.storms.kit.outages import PACE, SETTLE, last

#: Short waits, so that a fault's figures are about its own seconds; and no end to sending again, so that
#: whatever was not handed over in the end is missing.
SETTINGS = {
    f"NOTIFIER_RETRY_{priority}_{what}_SECONDS": seconds
    for priority in ("HIGH", "MEDIUM", "LOW")
    for what, seconds in (("BASE", "0.2"), ("CAP", "2"))
} | {"NOTIFIER_UNCERTAIN_RESENDS": "100"}

#: Within these seconds of the cure it takes messages again, and other channels' notifications end beside it.
CURED, ASIDE = 10.0, 10.0


@pytest.fixture(scope="module")
def installation(make_installation):
    """One whose retries are short."""
    return make_installation(**SETTINGS)


def other_channels(number):
    """A request for one of the lanes of SMS and push, whose providers are well."""
    priority = ("high", "medium", "low")[number // 2 % 3]
    if number % 2:
        to, content = {"phone": "+14155552671"}, {"text": f"Number {number}"}
        return {"channel": "sms", "priority": priority, "to": to, "content": content}
    to, content = {"push_token": "a" * 64, "platform": "apns"}, {"title": "Number", "text": str(number)}
    return {"channel": "push", "priority": priority, "to": to, "content": content}


class Aside:
    """Ten SMS and push notifications a second beside the case's e-mails."""

    def __init__(self, storm) -> None:
        installation = storm.installation
        self.storm, self.name = storm, f"beside-{storm.load.run_name}"
        self.load = Load(
            self.name,
            installation.folder,
            installation.ports,
            installation.key(),
            storm.dice,
            pace=10,
            body=other_channels,
        )
        self.windows = []

    def __enter__(self):
        self.load.start()
        return self

    def __exit__(self, kind, *_):
        self.load._enough.set()
        if kind is None:
            self.finish()

    def during(self, name, seconds):
        """Let these seconds pass under this name."""
        first = self.load.attempted
        last(self.storm, seconds)
        self.windows.append((name, first, self.load.attempted))

    def finish(self):
        """All of them were sent, in time; the table tells how soon in each window."""
        self.load.finish()
        engine, took = self.storm.installation.engine, {}
        assert not self.load.wrong
        wait_until(
            lambda: set(rows_of(engine, self.name).status.values()) == {Status.SENT},
            form.patience(ASIDE),
            "the other channels",
        )
        table = notifications.c
        chosen = select(table.reference, table.created_at, table.finished_at).where(
            table.reference.like(f"{self.name}-%")
        )
        with engine.connect() as connection:
            for row in connection.execute(chosen):
                number = int(row.reference.rpartition("-")[2])
                took[number] = (row.finished_at - row.created_at).total_seconds()
        for name, first, end in self.windows:
            self.storm.remark(f"beside_{name}_p99_s", p99([took[number] for number in range(first, end)]))
        assert max(took.values()) <= form.patience(ASIDE)


def p99(values):
    """The value that 99 of 100 are not above."""
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]


DOWN = {
    "421": {"reply": {"MAIL": "421 4.3.2 going down"}},
    "451": {"reply": {"RCPT": "451 4.3.0 local error"}},
    "hangs": {"hang": True},
    "drops": {"reply": {"MAIL": "421 4.3.2 going down"}, "drop": True},
}


def test_a_provider_is_down(case, installation):
    """F18. 421 and 451 to everything, no answer, no connection (30 s each, the hang 60; 4 s in the short form).

    No duplicate, for it kept none of them; a wait that it asked for is kept; all is delivered after the cure.
    """
    with case("F18", "provider down", pace=PACE, settle=SETTLE) as storm, Aside(storm) as aside:
        storm.wait_for_load()
        aside.during("before", form.either(short=4, full=20))
        for name, fault in DOWN.items():
            installation.faults.set(delay=USUAL_DELAY, **fault)
            storm.hit()
            aside.during(name, form.either(short=4, full=60 if name == "hangs" else 30))
            storm.wait_for_load()
            installation.faults.set(delay=USUAL_DELAY)
            storm.remark("sending_again_s", storm.wait_for_sending(within=CURED))
    assert set(storm.rows().status.values()) == {Status.SENT}
    early = earliest(installation.engine, set(storm.load.accepted.values()))
    assert early >= -0.1, f"an attempt {-early:.2f} s before the time that was asked for"


SILENT = {"close_after_accept": {"close_after_accept": True}, "trickle": {"trickle": True}}


def test_a_provider_takes_and_says_nothing(case, installation):
    """F18. It keeps the message and closes, or answers a byte a second: at most one repeat for each such call."""
    with (
        case("F18", "provider takes and is silent", pace=PACE, settle=SETTLE) as storm,
        Aside(storm) as aside,
    ):
        for name, fault in SILENT.items():
            storm.wait_for_load()
            installation.faults.set(delay=USUAL_DELAY, **fault)
            storm.hit()
            aside.during(name, form.either(short=3, full=20))
            installation.faults.set(delay=USUAL_DELAY)
            storm.remark("sending_again_s", storm.wait_for_sending(within=CURED))
        calls = uncertain_calls(storm)
        storm.hit(bound=sum(calls.values()), faults=0)
    counts = installation.sunk.counts
    assert [one for one, number in calls.items() if counts[one] > 1 + number] == []
    assert set(storm.rows().status.values()) == {Status.SENT}
    assert any(calls.values())


@pytest.mark.full
def test_uncertain_ones_are_held_on_request(case, installation):
    """F18 with `on_uncertain: "hold"`: none is sent again, and each whose answer never came waits for a person."""

    def body(number):
        return email(number) | {"on_uncertain": "hold"}

    with case("F18", "provider is silent, on_uncertain hold", pace=PACE, settle=SETTLE, body=body) as storm:
        for fault in SILENT.values():
            storm.wait_for_load()
            installation.faults.set(delay=USUAL_DELAY, share=0.5, **fault)
            storm.hit()
            last(storm, form.either(short=3, full=20))
            installation.faults.set(delay=USUAL_DELAY)
            storm.remark("sending_again_s", storm.wait_for_sending(within=CURED))
        calls = uncertain_calls(storm)
    states = storm.rows().status
    held = {one for one, state in states.items() if state is Status.HELD}
    storm.remark("held", len(held))
    assert held == {one for one, number in calls.items() if number}
    assert held
    assert set(states.values()) == {Status.SENT, Status.HELD}


def uncertain_calls(storm):
    """When all is ended: of how many calls of each notification nobody knows the outcome."""
    storm.load.finish()
    engine = storm.installation.engine
    wait_until(lambda: not unended(engine, storm.load.run_name), form.patience(storm.settle), "every ending")
    table = notifications.c
    chosen = select(table.id, table.uncertain_count).where(table.reference.like(f"{storm.load.run_name}-%"))
    with engine.connect() as connection:
        return {notification_id(row.id): row.uncertain_count for row in connection.execute(chosen)}


def earliest(engine, ids):
    """Seconds between the time a 421 put an attempt off to and the attempt, the least of all."""
    tried = defaultdict(list)
    with engine.connect() as connection:
        for row in connection.execute(select(attempts.c.notification_id, attempts.c.attempt)):
            tried[notification_id(row.notification_id)].append(row.attempt)
        for row in connection.execute(select(notifications.c.id, notifications.c.last_attempt)):
            tried[notification_id(row.id)].append(row.last_attempt)
    ordered = [sorted(tried[one], key=lambda attempt: attempt["n"]) for one in ids]
    return min(
        (moment(later["started_at"]) - moment(earlier["next_attempt_at"])).total_seconds()
        for its in ordered
        for earlier, later in itertools.pairwise(its)
        if earlier["code"] == "421 4.3.2"
    )


def moment(text):
    """A time as it stands in an attempt."""
    return datetime.fromisoformat(text)
