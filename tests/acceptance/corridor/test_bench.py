"""`notifier bench` against the full set-up: serve, work, PostgreSQL, RabbitMQ."""

import json
import subprocess
import sys

from tests.acceptance.fleet import ROOT, Fleet


def test_an_operators_own_installation_is_measured_end_to_end(tmp_path, postgres_url, rabbitmq_vhost_url):
    """With a test key all go down the real lanes and end, in single requests and in batches."""
    with Fleet(tmp_path, postgres_url, rabbitmq_vhost_url) as fleet:
        fleet.run("notifier", "migrate")
        made = json.loads(
            fleet.run("notifier", "keys", "create", "--name", "bench", "--mode", "test", "--json")
        )
        fleet.serve(processes=2)
        fleet.start("notifier", "work", "--threads", "4")
        fleet.wait_for_workers(1)
        service = {"NOTIFIER_URL": f"http://127.0.0.1:{fleet.ports[0]}", "NOTIFIER_API_KEY": made["key"]}
        for batch, count in (("1", 60), ("20", 200)):
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "notifier", "bench", "--json", "--duration", "1"),
                    *("--rate", str(count), "--batch", batch, "--wait", "60"),
                ],
                cwd=tmp_path,
                env=fleet.environment | {"PYTHONPATH": str(ROOT)} | service,
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert "Traceback" not in done.stderr, done.stderr
            found = json.loads(done.stdout)
            assert found["errors"] == {}
            assert found["all"]["accepted"] == found["all"]["sent"] == sum(found["endings"].values()) == count
            assert all(lane["sent_ms"]["max"] >= 0 for lane in found["lanes"])
        assert made["key"] not in fleet.log
