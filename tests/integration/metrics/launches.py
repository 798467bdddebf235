"""A fleet whose launches tell their metrics, each on a port of its own, and a Prometheus that scrapes them."""

import json
import re
import urllib.error
import urllib.request
from pathlib import Path

from notifier.storage import workers
from tests.acceptance.fleet import Fleet
from tests.nodes.ports import free_port


class MeasuredFleet(Fleet):
    """As the fleet; `told_on` are the ports on which something tells its metrics, in order of their starts."""

    def __init__(self, folder: Path, database_url: str, broker_url: str, **settings: str) -> None:
        super().__init__(folder, database_url, broker_url, **settings)
        self.settings["NOTIFIER_METRICS_PORT"] = str(free_port())

    @property
    def told_on(self) -> list[int]:
        """From the log, where every process says so."""
        found = re.findall(r'"event":"metrics_serving".*?"port":(\d+)', self.log)
        return [int(port) for port in found]

    def worker_port(self) -> int | None:
        """What the workers' beats say."""
        living = workers.living(self.engine, 3, "worker")
        return living[0].metrics_port if living else None


def ask(port: int, path: str) -> tuple[int, str]:
    """Status and body; status 0: nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def values(port: int) -> dict[str, float]:
    """Every sample that is told on this port."""
    status, text = ask(port, "/metrics")
    assert status == 200, text
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def wrong(port: int, path: str) -> list[str]:
    """What a probe finds wrong."""
    return list(json.loads(ask(port, path)[1]).get("wrong", []))
