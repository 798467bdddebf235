"""Every process killed with -9 in the middle, and started again: nothing that was accepted is lost."""

import threading

from tests.acceptance.fleet import Fleet, email, message_id, post_many
from tests.nodes.waiting import wait_until

NUMBER = 2_000
THREADS = 8
WORKERS = 2


def test_killing_every_process_loses_nothing(tmp_path, postgres_url, rabbitmq_vhost_url):
    """Door, workers, relays and launchers die at once while messages flow; all of them are sent later.

    What was being sent at that moment may be sent twice: at most 2 x threads for each worker.
    """
    with Fleet(tmp_path, postgres_url, rabbitmq_vhost_url) as fleet:
        fleet.run("alembic", "upgrade", "head")
        sink = fleet.sink()
        installation = [fleet.serve(), *(fleet.work(threads=THREADS) for _ in range(WORKERS))]
        fleet.wait_for_workers(WORKERS)
        key, ports = fleet.key(), list(fleet.ports)
        ids: list[str] = []
        bodies = [email(number) for number in range(NUMBER)]
        client = threading.Thread(target=lambda: ids.extend(post_many(ports, key, bodies)))
        client.start()
        wait_until(lambda: sum(fleet.delivered().values()) > NUMBER // 10, 60, "the first deliveries")

        fleet.kill(installation)
        again = fleet.start("notifier", "serve", "--port", str(ports[0]))
        for _ in range(WORKERS):
            fleet.work(threads=THREADS)
        client.join(120)
        counts = fleet.wait_for_final(NUMBER, timeout=90)

        assert again.poll() is None
        assert sink.poll() is None
        delivered = fleet.delivered()
        wanted = set(map(message_id, ids))
        assert len(wanted) == NUMBER
        assert wanted - set(delivered) == set(), "lost"
        assert set(delivered) - wanted == set(), "unexpected"
        assert counts == {"sent": NUMBER}
        assert sum(delivered.values()) - NUMBER <= 2 * THREADS * WORKERS
