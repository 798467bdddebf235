"""`notifier dev`: everything in one process, with no servers - and no less durable for it."""

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from notifier.domain.lifecycle import Status
from notifier.storage import changes
from notifier.storage.engine import Use, make_engine
from tests.acceptance.fleet import SHORT_TIMES, email, post_many
from tests.nodes import programs
from tests.nodes.waiting import wait_until

NUMBER = 600


class Dev:
    """A `notifier dev` in a folder; what it prints is read as it comes."""

    def __init__(self, folder: Path, *, log_level: str = "warning", **settings: str) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("NOTIFIER_")}
        self.process = programs.start(
            *("notifier", "dev", "--port", "0", "--log-level", log_level),
            cwd=folder,
            env=clean | SHORT_TIMES | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        wait_until(lambda: self._found(r"openapi.json"), 90, "its greeting")

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)

    def _found(self, pattern: str) -> re.Match[str] | None:
        return re.search(pattern, "".join(list(self.lines)))

    @property
    def address(self) -> str:
        found = self._found(r"listens at (http://\S+)")
        assert found is not None
        return found[1]

    @property
    def key(self) -> str:
        found = self._found(r"key\s+(nk_live_\S+)")
        assert found is not None
        return found[1]

    def get(self, path: str) -> dict:
        request = urllib.request.Request(self.address + path, headers={"Authorization": f"Bearer {self.key}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def end(self, number: int) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(30)
        self._reader.join(5)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture
def started(tmp_path):
    """Starts `notifier dev` in one folder, again and again."""
    running: list[Dev] = []

    def start() -> Dev:
        running.append(Dev(tmp_path))
        return running[-1]

    yield start
    for one in running:
        one.end(signal.SIGKILL)


def counts(folder: Path) -> dict[Status, int]:
    engine = make_engine(f"sqlite:///{folder / 'notifier.db'}", Use(name="test"))
    try:
        return {status: number for status, number in changes.counts(engine).items() if number}
    finally:
        engine.dispose()


def test_it_accepts_prints_shows_and_stops_in_order(started, tmp_path):
    """A message posted with the printed key is printed, seen at /v1/dev/messages, and SIGTERM exits 0."""
    dev = started()
    port = int(dev.address.rpartition(":")[2])
    (one,) = post_many([port], dev.key, [email(1)])
    wait_until(lambda: dev.get(f"/v1/notifications/{one}")["status"] == "sent", 10, "the ending")
    assert [message["id"] for message in dev.get("/v1/dev/messages")["data"]] == [one]
    assert any(one in line and "Number 1" in line for line in dev.lines)
    assert dev.end(signal.SIGTERM) == 0
    assert dev.lines[-1].strip() == SUM.format(1, "=", 1)
    assert not [line for line in dev.lines if "Traceback" in line]


SUM = "accepted {} {} pending 0 + held 0 + sent {} + failed 0 + expired 0 + cancelled 0 + suppressed 0"


def dev_once(folder: Path) -> tuple[int, list[str], str]:
    """`notifier dev --once`: its exit code, its lines and its standard error."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NOTIFIER_")}
    done = programs.run("notifier", "dev", "--port", "0", "--once", cwd=folder, env=clean, timeout=120)
    return done.returncode, done.stdout.splitlines(), done.stderr


def test_the_tour_ends_with_the_sum_of_promise_2_and_fails_when_it_does_not_hold(tmp_path):
    """One down each of nine lanes; then a row is taken away behind the service's back: exit 1, and said."""
    code, lines, err = dev_once(tmp_path)
    assert (code, lines[-1]) == (0, SUM.format(9, "=", 9)), err
    with contextlib.closing(sqlite3.connect(tmp_path / "notifier.db")) as connection, connection:
        connection.execute("DELETE FROM notifications WHERE rowid = 1")
    code, lines, err = dev_once(tmp_path)
    assert (code, lines[-1]) == (1, SUM.format(18, "!=", 17))
    assert "1 that was accepted can't be found" in err
    assert "Traceback" not in err


def test_each_start_makes_a_new_key_and_ends_the_old_one(started):
    """A development key lives as long as its process."""
    first = started()
    key = first.key
    first.end(signal.SIGTERM)
    second = started()
    assert second.key != key
    request = urllib.request.Request(
        second.address + "/v1/notifications", headers={"Authorization": f"Bearer {key}"}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=60)
    with caught.value as refused:
        assert refused.code == 401


def test_kill_9_in_the_middle_loses_nothing(started, tmp_path):
    """What SQLite had committed is sent by the next start, though the queue was in memory."""
    dev = started()
    port = int(dev.address.rpartition(":")[2])
    accepted: list[str] = []
    bodies = [email(number) for number in range(NUMBER)]

    def client() -> None:
        # The door dies under it: what was answered until then counts.
        with contextlib.suppress(AssertionError):
            post_many([port], dev.key, bodies, connections=8, turns=20, on_each=accepted.append)

    posting = threading.Thread(target=client, daemon=True)
    posting.start()
    wait_until(lambda: len(accepted) > NUMBER // 3, 60, "a third to be accepted")
    dev.end(signal.SIGKILL)
    kept = sum(counts(tmp_path).values())
    known = len(accepted)
    assert kept >= known > 0

    again = started()
    wait_until(lambda: counts(tmp_path) == {"sent": kept}, 60, "all of them to be sent")
    for one in accepted[:known][:: max(1, known // 20)]:
        assert again.get(f"/v1/notifications/{one}")["status"] == "sent"
    assert again.end(signal.SIGTERM) == 0
    assert again.lines[-1].strip() == SUM.format(kept, "=", kept)
