"""What a worker's beat tells of its threads: all that were configured, and one less once one has ended."""

import dramatiq
import pytest

from notifier.bootstrap.back import make_back
from notifier.bootstrap.roads import make_broker
from notifier.cli.check_database import check_database
from notifier.domain.lanes import Lane
from notifier.settings import load_settings
from notifier.storage import migrations, workers
from notifier.storage.engine import Use, make_engine
from tests.nodes.waiting import wait_until

LANES = len(Lane.all())


def told(engine, stage="running"):
    """The census of the one worker that beats, once it is in this stage."""
    for process in workers.living(engine, 30, "worker"):
        if process.report["stage"] == stage:
            return process.report["census"]
    return None


def worker_findings(settings):
    return [one for one in check_database(settings) if one.check == "workers"]


@pytest.mark.parametrize("broker", ["embedded", "rabbitmq"])
def test_a_worker_s_beat_counts_its_threads_and_consumers(broker, request, tmp_path):
    """On both brokers, from the first beat that says "running"; a thread that ends is missed and said by doctor."""
    chosen = {"database_url": f"sqlite:///{tmp_path}/x.db", "beat_seconds": 0.05, "beat_fresh_seconds": 30.0}
    if broker == "rabbitmq":
        chosen["broker_url"] = request.getfixturevalue("rabbitmq_vhost_url")
    settings = load_settings({}, overrides=chosen)
    migrations.upgrade(settings.database_url)
    engine = make_engine(settings.database_url, Use(name="test"))
    parts = make_broker(settings)
    make_back(settings, parts, threads=3)
    worker = dramatiq.Worker(parts.broker, worker_timeout=50)
    worker.start()
    try:
        full = {"threads": 3, "threads_alive": 3, "consumers": LANES, "consumers_alive": LANES}
        wait_until(lambda: told(engine), 30, "the first beat of the running worker")
        assert told(engine) == full
        assert [(one.state, one.detail) for one in worker_findings(settings)] == [("ok", "1 beating")]
        worker.workers[0].stop()
        wait_until(lambda: told(engine) == full | {"threads_alive": 2}, 30, "the thread to be missed")
        (finding,) = worker_findings(settings)
        assert finding.state == "warning"
        assert finding.detail.endswith("has 2 of 3 threads")
    finally:
        worker.stop(timeout=20_000)
        parts.publisher.close()
        parts.broker.close()
        engine.dispose()
