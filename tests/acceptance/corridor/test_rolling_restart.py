"""Workers and doors restarted one after the other under load: nothing lost, nothing sent twice."""

import threading

from tests.acceptance.fleet import Fleet, email, message_id, post_many
from tests.nodes.waiting import wait_until

NUMBER = 1_500
ROUNDS = 2


def test_a_rolling_restart_loses_and_repeats_nothing(tmp_path, postgres_url, rabbitmq_vhost_url):
    """SIGTERM finishes what is in flight, stores it, acknowledges it and exits 0."""
    with Fleet(tmp_path, postgres_url, rabbitmq_vhost_url) as fleet:
        fleet.run("alembic", "upgrade", "head")
        fleet.sink()
        doors = [fleet.serve(), fleet.serve()]
        workers = [fleet.work(), fleet.work()]
        fleet.wait_for_workers(2)
        key, ids, accepted = fleet.key(), [], threading.Event()
        bodies = [email(number) for number in range(NUMBER)]

        def client() -> None:
            ids.extend(post_many(fleet.ports[:2], key, bodies, connections=8))
            accepted.set()

        posting = threading.Thread(target=client)
        posting.start()
        wait_until(lambda: sum(fleet.delivered().values()) > 50, 60, "the first deliveries")
        codes = []
        for _ in range(ROUNDS):
            for old in list(workers):
                codes += fleet.stop([old])
                workers.remove(old)
                workers.append(fleet.work())
                fleet.wait_for_workers(2)
        codes += fleet.stop([doors[1]])
        posting.join(120)
        counts = fleet.wait_for_final(NUMBER, timeout=60)

        assert codes == [0] * len(codes)
        assert counts == {"sent": NUMBER}
        assert fleet.delivered() == dict.fromkeys(map(message_id, ids), 1)
