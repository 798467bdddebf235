"""A small disk is full when it says so, is freed again, holds a PostgreSQL server, and is never left behind."""

import errno
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from tests.nodes.postgres import PostgresNode, server_user
from tests.nodes.small_disk import SmallDisk
from tests.nodes.waiting import wait_until

_ROOT = Path(__file__).parents[2]
_PATIENCE = 60  # seconds: a failure, not a pause
_MEGABYTE = 1_048_576

_RUN_THAT_DIES = """
import sys
from tests.nodes.small_disk import SmallDisk
with SmallDisk(2) as disk:
    held = (disk.folder / "held").open("w")
    print(disk.folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def disk():
    with SmallDisk(110) as made:
        yield made


def test_it_is_full_to_the_last_byte_and_free_again():
    """Filled: not one byte can be written. Freed: as much room as before. Afterwards: no folder, no mount."""
    with SmallDisk(8) as disk:
        assert disk.folder.owner() == (server_user() or disk.folder.owner())
        room = disk.free_bytes
        assert 7 * _MEGABYTE < room <= 8 * _MEGABYTE
        disk.fill()
        assert disk.free_bytes == 0
        with pytest.raises(OSError, match="No space left") as full:
            (disk.folder / "one").write_bytes(b"1")
        assert full.value.errno == errno.ENOSPC
        (disk.folder / "one").unlink()
        disk.free()
        assert disk.free_bytes == room
        (disk.folder / "one").write_bytes(b"1")
    assert not disk.folder.exists()
    assert str(disk.folder) not in Path("/proc/mounts").read_text()


def test_postgres_on_a_full_disk_keeps_what_was_committed(disk):
    """It refuses or stops when it can't write; with room again it has every committed row and takes more."""
    node = PostgresNode(folder=disk.folder, wal_segment_megabytes=1, settings={"max_wal_size": "16MB"})
    node.start()
    try:
        assert (disk.folder / "data").is_dir()
        with closing(_connect(node)) as connection:
            _run(connection, "CREATE TABLE kept (id int, ballast text)")
            _run(connection, "ALTER TABLE kept ALTER ballast SET STORAGE EXTERNAL")
            _insert(connection, 0)
            disk.fill()
            kept = 1 + _insert_until_refused(connection)
        disk.free()
        wait_until(lambda: node.answers() or not node.running, _PATIENCE, "the server to recover or to end")
        if not node.running:
            node.start()
        with closing(_connect(node)) as connection:
            [(count,)] = _run(connection, "SELECT count(*) FROM kept")
            assert count in {kept, kept + 1}, "all that were answered, and perhaps the one that was not"
            _insert(connection, 1_000)
    finally:
        node.stop()


def _connect(node):
    return psycopg2.connect(node.url().replace("+psycopg2", ""), connect_timeout=10)


def _insert(connection, number):
    _run(connection, f"INSERT INTO kept VALUES ({number}, repeat('x', {_MEGABYTE}))")


def _insert_until_refused(connection):
    """How many of 200 rows of a megabyte each were taken; there is room for none."""
    for number in range(200):
        try:
            _insert(connection, number)
        except psycopg2.Error:
            return number
    raise AssertionError("the disk was never full")


def _run(connection, statement):
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else None


def test_it_goes_with_a_run_that_is_killed():
    """kill -9 of the run takes the mount along, even while a file is open there."""
    run = subprocess.Popen(
        [sys.executable, "-c", _RUN_THAT_DIES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
    )
    folder = Path(run.stdout.readline().strip())
    assert os.path.ismount(folder)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    wait_until(lambda: not folder.exists(), _PATIENCE, "the mount and its folder to be gone")
    assert str(folder) not in Path("/proc/mounts").read_text()


def test_a_server_that_ended_by_itself_starts_on_its_data():
    """The guard of the run before takes nothing along when the server is started again."""
    node = PostgresNode()
    node.start()
    try:
        with closing(_connect(node)) as connection:
            _run(connection, "CREATE TABLE kept (id int)")
        os.kill(node.pid, signal.SIGQUIT)
        wait_until(lambda: not node.running, _PATIENCE, "the server to end")
        node.start()
        with closing(_connect(node)) as connection:
            assert _run(connection, "SELECT count(*) FROM kept") == [(0,)]
    finally:
        node.stop()
    assert not node.folder.exists()
