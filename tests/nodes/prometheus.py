"""A private Prometheus server, and its promtool."""

import json
import shutil
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.nodes import binaries
from tests.nodes.folders import temporary_folder
from tests.nodes.ports import free_port
from tests.nodes.process import NodeError, ServerProcess, require_free

_READY_SECONDS = 30.0


class PrometheusNode:
    """One server on 127.0.0.1 that scrapes `targets` (job: ports of this machine) each second.

    `rules` are files of rules that it evaluates as often. Its data go with `stop()`.
    """

    def __init__(self, targets: Mapping[str, Sequence[int]], rules: Sequence[Path] = ()) -> None:
        self.folder = temporary_folder("notifier-prometheus-", None)
        self.port = free_port()
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in rules],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}]}
                for job, ports in targets.items()
            ],
        }
        # JSON is YAML too.
        (self.folder / "prometheus.yml").write_text(json.dumps(config))
        self._process = ServerProcess(
            command=[
                binaries.find("prometheus"),
                f"--config.file={self.folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self.folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            env={"PATH": "/usr/bin:/bin"},
            cwd=self.folder,
            log=self.folder / "prometheus.log",
            folder=self.folder,
        )

    def start(self) -> None:
        """Start it, and return when it answers."""
        require_free(self.port)
        self._process.start()
        try:
            self._process.wait_ready(self._answers, _READY_SECONDS)
        except NodeError:
            self._process.end(signal.SIGKILL)
            raise

    def stop(self) -> None:
        """End it and remove its data."""
        self._process.end(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an expression now: ``[{"metric": {...}, "value": [at, "1"]}]``; raises `ValueError` if it is wrong."""
        url = f"http://127.0.0.1:{self.port}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                data = json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise ValueError(f"{expression}: {error.read().decode(errors='replace')}") from None
        return list(data["result"])

    def value(self, expression: str) -> float | None:
        """The sum of its samples; None when there is none."""
        found = [float(one["value"][1]) for one in self.query(expression)]
        return sum(found) if found else None

    def get(self, path: str) -> Any:
        """The data of another question of its API, as `/api/v1/rules`."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return json.load(answer)["data"]

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def promtool(*arguments: str, given: bytes = b"") -> str:
    """What promtool says, which is nothing wrong: raises `AssertionError` with its words if it finds a fault."""
    command = [binaries.find("promtool"), *arguments]
    done = subprocess.run(command, input=given, capture_output=True, timeout=60, check=False)
    said = (done.stdout + done.stderr).decode(errors="replace")
    if done.returncode:
        raise AssertionError(f"promtool {' '.join(arguments)}: {said}")
    return said
