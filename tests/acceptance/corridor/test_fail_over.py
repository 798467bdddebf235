"""A provider fails, hangs and recovers: traffic moves to the next one and, by a probe, back; nothing is lost."""

from collections import Counter
from collections.abc import Callable

import pytest
from sqlalchemy import select

from notifier.domain.ids import notification_id
from notifier.domain.lanes import Channel
from notifier.storage import operator_events, provider_states
from notifier.storage.engine import reading
from notifier.storage.operator_events import EventFilter
from notifier.storage.provider_states import ProviderKey
from notifier.storage.tables import notifications
from tests.acceptance.fleet import Fleet, email, message_id, post_many
from tests.nodes.ports import free_port
from tests.nodes.smtp_control import SmtpControl
from tests.nodes.waiting import wait_until

MAIN, SPARE = ProviderKey(Channel.EMAIL, "main"), ProviderKey(Channel.EMAIL, "spare")
SETTINGS = {
    f"NOTIFIER_RETRY_{priority}_{what}_SECONDS": seconds
    for priority in ("HIGH", "MEDIUM", "LOW")
    for what, seconds in (("BASE", "0.2"), ("CAP", "2"))
} | {"NOTIFIER_BREAKER_WAIT_SECONDS": "1", "NOTIFIER_BREAKER_LONGEST_WAIT_SECONDS": "2"}


class Two:
    """A fleet of two workers whose e-mail goes to `main`, or to `spare` where that is out."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.control = SmtpControl(fleet.folder / "main.json")
        self.spare_ledger = fleet.folder / "spare.ledger"
        spare_port = free_port()
        fleet.settings["NOTIFIER_EMAIL_PROVIDERS"] = (
            f"smtp://127.0.0.1:{fleet.smtp_port}?name=main smtp://127.0.0.1:{spare_port}?name=spare"
        )
        fleet.migrate()
        fleet.start(
            *("tests.nodes.smtp", "--port", str(fleet.smtp_port), "--ledger", str(fleet.ledger)),
            *("--control", str(self.control.path)),
        )
        fleet.start("tests.nodes.smtp", "--port", str(spare_port), "--ledger", str(self.spare_ledger))
        fleet.serve()
        for _ in range(2):
            fleet.work(threads=8)
        fleet.wait_for_workers(2, 60)
        self.key = fleet.key()
        self.ids: list[str] = []

    def send(self, number: int) -> list[str]:
        """So many more, to their end; their ids."""
        # A key of its own each time, for idempotency's sake.
        ids = post_many(self.fleet.ports, self.fleet.key(), [email(one) for one in range(number)])
        self.ids += ids
        assert self.fleet.wait_for_final(len(self.ids), 90) == {"sent": len(self.ids)}
        return ids

    def by_main(self) -> Counter[str]:
        return self.fleet.delivered()

    def by_spare(self) -> Counter[str]:
        lines = self.spare_ledger.read_text().splitlines() if self.spare_ledger.exists() else []
        return Counter(line.split(" ", 1)[0] for line in lines)

    def is_out(self) -> bool:
        state = provider_states.read(self.fleet.engine).get(MAIN)
        return state is not None and state.opened_at is not None

    def rows(self):
        table = notifications.c
        with reading(self.fleet.engine) as connection:
            chosen = select(table.id, table.last_attempt, table.uncertain_count)
            return {notification_id(row.id): row for row in connection.execute(chosen)}


@pytest.fixture
def two(tmp_path, postgres_url, rabbitmq_vhost_url):
    with Fleet(tmp_path, postgres_url, rabbitmq_vhost_url, **SETTINGS) as fleet:
        yield Two(fleet)


def sent_by(counter: Counter[str], ids: list[str]) -> int:
    return sum(counter[message_id(one)] > 0 for one in ids)


def all_by(two: Two, counted: Callable[[], Counter[str]], number: int) -> bool:
    """Whether so many more all go that way."""
    ids = two.send(number)
    return sent_by(counted(), ids) == number


def test_traffic_moves_and_moves_back(two):
    """Well, then 451 to everything, then no answer at all, then well again."""
    well = two.send(30)
    assert sent_by(two.by_main(), well) == 30

    two.control.set(reply={"RCPT": "451 4.3.0 local error"})
    failing = two.send(60)
    assert sent_by(two.by_spare(), failing) == 60
    wait_until(two.is_out, 60, "the breaker to be told to the fleet")

    two.control.set(hang=True)
    hanging = two.send(40)
    assert sent_by(two.by_spare(), hanging) == 40
    assert two.is_out()

    two.control.clear()

    def back() -> bool:
        # Without a message nobody would ask for a probe.
        two.send(1)
        return not two.is_out()

    wait_until(back, 60, "a good probe")
    wait_until(lambda: all_by(two, two.by_main, 4), 30, "the fleet to hear of it")
    assert all_by(two, two.by_main, 30)
    check_all(two)
    check_events(two)


def check_events(two: Two) -> None:
    """Two workers saw it fail and come back: each opening is told once, and so is each closing."""
    rows = operator_events.walk(two.fleet.engine, EventFilter(provider="main"), 100)
    kinds = [str(row.event.kind) for row in reversed(rows)]
    assert kinds
    assert kinds == ["breaker_opened", "breaker_closed"] * (len(kinds) // 2)
    assert rows[0].event.facts["out_seconds"] >= 1


def check_all(two: Two) -> None:
    """Nothing is lost, nothing is twice but what was uncertain, and each attempt names its provider."""
    both, rows = two.by_main() + two.by_spare(), two.rows()
    assert set(rows) == set(two.ids)
    for one, row in rows.items():
        assert 1 <= both[message_id(one)] <= 1 + row.uncertain_count, one
        where = two.by_main() if row.last_attempt["provider"] == "main" else two.by_spare()
        assert where[message_id(one)] >= 1
    assert {row.last_attempt["provider"] for row in rows.values()} == {"main", "spare"}


def test_a_provider_that_an_operator_has_disabled_gets_nothing_until_it_is_enabled(two):
    """By name, on every worker within two seconds; nothing that waits is lost."""
    assert provider_states.set_disabled(two.fleet.engine, MAIN, True, None)
    wait_until(lambda: all_by(two, two.by_spare, 8), 30, "both workers to hear of it")
    assert all_by(two, two.by_spare, 40)
    assert provider_states.set_disabled(two.fleet.engine, SPARE, True, None)
    waiting = post_many(two.fleet.ports, two.fleet.key(), [email(one) for one in range(10)])
    two.ids += waiting
    assert provider_states.set_disabled(two.fleet.engine, MAIN, False, None)
    two.send(1)
    two.fleet.wait_for_final(len(two.ids), 60)
    check_all(two)
