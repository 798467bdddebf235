"""The real command in a process of its own, in an empty folder, with no settings but those of the test."""

import json
import os
import re
import subprocess
import threading
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.nodes import programs
from tests.nodes.waiting import wait_until

_DEADLINE = 60


@dataclass
class Ended:
    """How a command ended: its exit code and both streams."""

    code: int
    out: str
    err: str

    def json(self):
        """The one document on standard output."""
        return json.loads(self.out)


class Cli:
    """Runs `notifier` in `folder`; `env` are its settings."""

    def __init__(self, folder, **env):
        self.folder = folder
        self.env = env
        self._started = []

    def environment(self):
        """This process's variables without any setting of a developer's own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NOTIFIER_")}
        return kept | {name: str(value) for name, value in self.env.items()}

    def start(self, *arguments):
        """A command that goes on running; its output is read through pipes."""
        pipe = subprocess.PIPE
        told = {"cwd": self.folder, "env": self.environment(), "stdout": pipe, "stderr": pipe, "text": True}
        self._started.append(programs.start("notifier", *map(str, arguments), **told))
        return self._started[-1]

    def close(self):
        """End what a failed test has left running."""
        for process in self._started:
            process.kill()
            process.wait(30)

    def run(self, *arguments, code=0):
        """The command's ending, which must be `code`; never a traceback."""
        done = programs.run(
            "notifier", *map(str, arguments), cwd=self.folder, env=self.environment(), timeout=_DEADLINE
        )
        out, err = done.stdout, done.stderr
        assert "Traceback" not in err, err
        assert done.returncode == code, f"exit {done.returncode}\n{out}\n{err}"
        return Ended(done.returncode, out, err)


class Dev:
    """A running `notifier dev`: its address and its key, as it prints them."""

    def __init__(self, cli):
        self._process = cli.start("dev", "--port", "0")
        self._lines = []
        self._readers = [
            threading.Thread(target=self._read, args=(stream,), daemon=True)
            for stream in (self._process.stdout, self._process.stderr)
        ]
        for reader in self._readers:
            reader.start()
        wait_until(lambda: self._found(r"key +(nk_\S+)"), 60, "notifier dev to print its key")
        self.key = self._found(r"key +(nk_\S+)")
        wait_until(lambda: self._found(r"test +(nk_test_\S+)"), 10, "notifier dev to print its test key")
        self.test_key = self._found(r"test +(nk_test_\S+)")
        wait_until(lambda: self._found(r"listens at (http://\S+)"), 10, "notifier dev to print its address")
        self.url = self._found(r"listens at (http://\S+)")

    def _read(self, stream):
        for line in stream:
            self._lines.append(line)

    def _found(self, pattern):
        found = re.search(pattern, "".join(self._lines))
        return found[1] if found else None

    def listed(self, key):
        """The ids of the newest notifications that a key sees."""
        request = urllib.request.Request(
            f"{self.url}/v1/notifications", headers={"Authorization": f"Bearer {key}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return [row["id"] for row in json.loads(answer.read())["data"]]

    def stop(self):
        self._process.terminate()
        self._process.wait(30)
        for reader in self._readers:
            reader.join(10)
        self._process.stdout.close()
        self._process.stderr.close()


@pytest.fixture
def cli(tmp_path):
    """The command in an empty folder."""
    made = Cli(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def _migrated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("migrated")
    Cli(folder).run("migrate")
    return (folder / "notifier.db").read_bytes()


@pytest.fixture
def migrated(cli, _migrated):
    """The command in a folder with a migrated SQLite database."""
    (cli.folder / "notifier.db").write_bytes(_migrated)
    return cli


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    """A running `notifier dev` that a module's tests share, with the folder it runs in."""
    folder = Path(tmp_path_factory.mktemp("dev"))
    made = Dev(Cli(folder))
    made.folder = folder
    yield made
    made.stop()
