"""The commands of the README together: serve, work, send - and their orderly ends."""

import json
import os
import subprocess
import sys

from tests.acceptance.fleet import ROOT, Fleet, message_id
from tests.nodes.waiting import wait_until


def test_what_send_posts_is_sent_by_work(tmp_path, postgres_url, rabbitmq_vhost_url):
    """`notifier migrate`, `keys create`, `serve`, `work` and `send --wait` as an operator types them."""
    with Fleet(tmp_path, postgres_url, rabbitmq_vhost_url) as fleet:
        fleet.run("notifier", "migrate")
        fleet.sink()
        made = json.loads(fleet.run("notifier", "keys", "create", "--name", "shop", "--json"))
        door = fleet.serve(processes=2)
        worker = fleet.start("notifier", "work", "--threads", "4")
        fleet.wait_for_workers(1)
        service = {"NOTIFIER_URL": f"http://127.0.0.1:{fleet.ports[0]}", "NOTIFIER_API_KEY": made["key"]}
        sent = subprocess.run(
            [
                *(sys.executable, "-m", "notifier", "send", "--email", "ada@example.com"),
                *("--subject", "Hello", "--text", "It works.", "--priority", "high", "--wait", "20"),
            ],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), **service},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert sent.returncode == 0, sent.stderr
        one = sent.stdout.split()[0]
        wait_until(lambda: fleet.delivered() == {message_id(one): 1}, 60, "the e-mail")
        assert "attempt_accepted" in fleet.log
        assert fleet.stop([worker, door]) == [0, 0]
        assert made["key"] not in fleet.log
        assert "ada@example.com" not in fleet.log
        assert "It works." not in fleet.log
