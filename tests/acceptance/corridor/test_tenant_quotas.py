"""A tenant's quota over doors and workers: at the door at once, behind it as due times that hold nobody up."""

import json
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select

from notifier.storage.engine import reading
from notifier.storage.tables import notifications
from tests.acceptance.fleet import Fleet, email, message_id, post_many

QUOTA = 5


def calls(fleet):
    """When the provider took each message, by its Message-ID."""
    lines = [line.split(" ") for line in fleet.ledger.read_text().splitlines()]
    return {one[0]: float(one[-1]) for one in lines}


def test_a_tenants_backlog_waits_its_turns_and_another_tenants_passes_it(
    tmp_path, postgres_url, rabbitmq_vhost_url
):
    """What came in before there was a quota: no attempt spent, none lost, the provider sees the quota's pace."""
    number, others = 60, 20
    with Fleet(tmp_path, postgres_url, rabbitmq_vhost_url) as fleet:
        fleet.migrate()
        fleet.sink()
        fleet.serve()
        busy = post_many(fleet.ports, fleet.key("busy"), [email(one) for one in range(number)])
        quiet = post_many(fleet.ports, fleet.key("quiet"), [email(one) for one in range(others)])
        fleet.settings["NOTIFIER_TENANT_RATES"] = f"busy={QUOTA}/s"
        for _ in range(2):
            fleet.work(threads=4)
        fleet.wait_for_workers(2, 60)
        assert fleet.wait_for_final(number + others, 120) == {"sent": number + others}
        told = calls(fleet)
        assert fleet.delivered() == Counter({message_id(one): 1 for one in busy + quiet})
        with reading(fleet.engine) as connection:
            assert set(connection.execute(select(notifications.c.attempt)).scalars()) == {1}
    of_busy = sorted(told[message_id(one)] for one in busy)
    of_quiet = sorted(told[message_id(one)] for one in quiet)
    # The quiet tenant's are through while the busy one's still wait.
    assert of_quiet[-1] < of_busy[len(of_busy) // 2]
    took = of_busy[-1] - of_busy[0]
    assert number <= QUOTA * (1 + took + 0.25 + 0.5)


def test_two_doors_share_one_quota(tmp_path, postgres_url, rabbitmq_vhost_url):
    """Through PostgreSQL: whichever door is asked, no more than the quota comes in, and the rest is told to wait."""
    quota, asked = 20, 60
    with Fleet(tmp_path, postgres_url, rabbitmq_vhost_url) as fleet:
        fleet.settings["NOTIFIER_TENANT_RATES"] = f"busy={quota}/h"
        fleet.migrate()
        for _ in range(2):
            fleet.serve()
        key = fleet.key("busy")
        ports = [fleet.ports[number % 2] for number in range(asked)]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda one: post(one[1], key, email(one[0])), enumerate(ports)))
        assert Counter(status for status, _ in answers) == {202: quota, 429: asked - quota}
        assert all(0 < int(wait) <= 3600 / quota for status, wait in answers if status == 429)
        assert {port for port, (status, _) in zip(ports, answers, strict=True) if status == 202} == set(ports)
        with reading(fleet.engine) as connection:
            assert len(connection.execute(select(notifications.c.id)).all()) == quota


def post(port, key, body):
    """One request: its status and its Retry-After."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/notifications", json.dumps(body).encode(), headers
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, None
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.headers["Retry-After"]
