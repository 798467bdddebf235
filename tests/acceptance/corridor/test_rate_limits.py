"""One limit for the whole fleet: the provider's own record of calls shows it, whoever sends and whatever is away."""

from bisect import bisect_right
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import select

from notifier.providers.smtp_codes import RATE_LIMITED
from notifier.storage import rate_limits
from notifier.storage.engine import reading
from notifier.storage.tables import notifications
from tests.acceptance.fleet import Fleet, email, message_id, post_many
from tests.nodes.postgres import PostgresNode
from tests.nodes.smtp_control import SmtpControl
from tests.nodes.waiting import wait_until

RATE, BURST, LEASE = 25.0, 5, 0.25
#: Seconds by which a call may reach the provider later than it was permitted: a connection to make, a busy machine.
LATE = 0.5


def calls(fleet: Fleet) -> list[float]:
    """When the provider accepted each message."""
    if not fleet.ledger.exists():
        return []
    return sorted(float(line.rsplit(" ", 1)[1]) for line in fleet.ledger.read_text().splitlines())


def excess(moments: list[float]) -> float:
    """By how many calls the worst window is above burst + rate x (window + lease), a call's delay granted."""
    worst = float("-inf")
    for number, first in enumerate(moments):
        for last in moments[number:]:
            inside = bisect_right(moments, last) - number
            worst = max(worst, inside - BURST - RATE * (last - first + LEASE + LATE))
    return worst


def limited(folder, database_url, broker_url, *, control: Path | None = None) -> Fleet:
    """An installation whose e-mail account has a limit; what stands in `control` its provider does."""
    fleet = Fleet(folder, database_url, broker_url)
    fleet.settings["NOTIFIER_EMAIL_PROVIDERS"] += f"?rate={RATE:g}/s&burst={BURST}"
    fleet.migrate()
    sink = ["tests.nodes.smtp", "--port", str(fleet.smtp_port), "--ledger", str(fleet.ledger)]
    fleet.start(*sink, *(["--control", str(control)] if control else []))
    fleet.serve()
    return fleet


def spent(fleet: Fleet) -> set[tuple[str, int]]:
    """Each state with the number of attempts that it took."""
    table = notifications.c
    with reading(fleet.engine) as connection:
        return {tuple(row) for row in connection.execute(select(table.status, table.attempt).distinct())}


def test_two_workers_share_one_limit_and_spend_no_attempt_on_waiting(
    tmp_path, postgres_url, rabbitmq_vhost_url
):
    """The bound holds in every window, nearly the whole rate is used, all is sent at its first attempt."""
    number = 400
    with limited(tmp_path, postgres_url, rabbitmq_vhost_url) as fleet:
        key = fleet.key()
        for _ in range(2):
            fleet.work(threads=8)
        fleet.wait_for_workers(2, 60)
        ids = post_many(fleet.ports, key, [email(one) for one in range(number)])
        assert fleet.wait_for_final(number, 120) == {"sent": number}
        moments = calls(fleet)
        assert fleet.delivered() == {message_id(one): 1 for one in ids}
        assert excess(moments) <= 0
        assert spent(fleet) == {("sent", 1)}
        # A tenth is for the beginning and for a busy machine; `make bench` measures it closely.
        assert number / (moments[-1] - moments[0]) >= 0.9 * RATE
        assert "limit_store_away" not in fleet.log


@pytest.fixture
def own_postgres():
    """A server that this test may end."""
    node = PostgresNode()
    node.start()
    yield node
    node.stop()


@pytest.mark.parametrize("end", ["halt", "crash"])
def test_limits_hold_while_the_database_is_away_and_when_it_is_back(
    tmp_path, own_postgres, rabbitmq_vhost_url, end
):
    """Stopped in the midst of a backlog and started again, with the limit's row or (crashed) without it."""
    number = 300
    with (
        own_postgres.fresh_database() as url,
        limited(tmp_path, url, rabbitmq_vhost_url) as fleet,
    ):
        key = fleet.key()
        for _ in range(2):
            fleet.work(threads=8)
        fleet.wait_for_workers(2, 60)
        post_many(fleet.ports, key, [email(one) for one in range(number)])
        wait_until(lambda: len(calls(fleet)) > 60, 60, "a good part to be sent")
        fleet.engine.dispose()
        getattr(own_postgres, end)()
        wait_until(lambda: fleet.log.count("limit_store_away") >= 2, 60, "both workers to notice")
        own_postgres.start()
        assert fleet.wait_for_final(number, 120) == {"sent": number}
        moments = calls(fleet)
        # What was sent but not recorded when it crashed may come again; each such call counts as well.
        assert len(set(fleet.delivered())) == number
        assert excess(moments) <= 0
        assert fleet.log.count("limit_store_back") >= 2


TOO_FAST = "454 4.7.0 Throttling failure: Maximum sending rate exceeded."


def test_a_provider_that_says_too_fast_is_left_alone_by_every_worker(
    tmp_path, postgres_url, rabbitmq_vhost_url
):
    """One such answer stops the account everywhere: only calls that were under way hear it too. Then it goes on."""
    number = 150
    control = SmtpControl(tmp_path / "smtp.json")
    with limited(tmp_path, postgres_url, rabbitmq_vhost_url, control=control.path) as fleet:
        key = fleet.key()
        for _ in range(2):
            fleet.work(threads=8)
        fleet.wait_for_workers(2, 60)
        post_many(fleet.ports, key, [email(one) for one in range(number)])
        wait_until(lambda: len(calls(fleet)) > 40, 60, "a part to be sent")
        control.set(reply={"RCPT": TOO_FAST})
        wait_until(lambda: "limit_throttled" in fleet.log, 30, "the first such answer")
        wait_until(lambda: blocked(fleet) > 0, 60, "the others to be told")
        control.clear()
        assert fleet.wait_for_final(number, 120) == {"sent": number}
        moments = calls(fleet)
        gap = max(after - before for before, after in pairwise(moments))
        assert gap >= RATE_LIMITED - 0.5
        assert excess(moments) <= 0
        again = [one for one in attempts_made(fleet) if one > 1]
        assert 1 <= len(again) <= 2 * 8 + BURST + RATE * 2 * LEASE


def blocked(fleet: Fleet) -> float:
    """For how many seconds yet the account is blocked."""
    return sum(rate_limits.blocked(fleet.engine, ["email/smtp-127.0.0.1"]).values())


def attempts_made(fleet: Fleet) -> list[int]:
    """How many each notification took."""
    with reading(fleet.engine) as connection:
        return list(connection.execute(select(notifications.c.attempt)).scalars())
