"""The processes of one launch share one private directory; those of dead launches are removed."""

import os
import stat
import subprocess
import sys
import tempfile

import pytest

from notifier.telemetry.prometheus_dir import (
    VARIABLE,
    keep_to_this_process,
    metrics_port,
    prepare_prometheus_dir,
    prometheus_dir,
    remember_port,
    remove_prometheus_dir,
)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv(VARIABLE, "before")
    return tmp_path


def test_the_directory_is_private_and_in_the_environment(place):
    path = prepare_prometheus_dir()
    assert path.parent == place
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert os.environ[VARIABLE] == str(path)
    assert str(os.getppid()) in path.name


def test_processes_of_one_launch_share_it_and_the_second_does_not_empty_it():
    first = prepare_prometheus_dir(os.getpid())
    (first / "counter_1.db").write_text("x")
    assert prepare_prometheus_dir(os.getpid()) == first
    assert (first / "counter_1.db").exists()
    assert prepare_prometheus_dir(os.getppid()) != first


def test_directories_of_dead_launchers_are_removed_and_others_stay(place):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as launcher:
        dead = prepare_prometheus_dir(launcher.pid)
        (dead / "counter_1.db").write_text("x")
        alive = prepare_prometheus_dir(os.getpid())
        assert dead.exists()
        launcher.communicate(b"\n", timeout=30)
    again = place / f"notifier-metrics-{os.geteuid()}-{os.getpid()}-1"  # our id, in an earlier life
    foreign = place / f"notifier-metrics-{os.geteuid() + 1}-{launcher.pid}-5"
    for path in (again, foreign, place / "notifier-metrics-else"):
        path.mkdir()
    prepare_prometheus_dir(os.getppid())
    assert not dead.exists()
    assert not again.exists()
    assert alive.exists()
    assert foreign.exists()
    assert (place / "notifier-metrics-else").exists()


@pytest.mark.parametrize("kind", ["open", "link", "file"])
def test_a_name_taken_by_somebody_else_is_refused(place, kind):
    path = prepare_prometheus_dir()
    path.rmdir()
    if kind == "open":
        path.mkdir()
        path.chmod(0o777)
    elif kind == "link":
        path.symlink_to(place, target_is_directory=True)
    else:
        path.write_text("")
    with pytest.raises(RuntimeError, match="private"):
        prepare_prometheus_dir()


def test_prometheus_chooses_its_multiprocess_mode_after_it():
    code = (
        "from notifier.telemetry.prometheus_dir import prepare_prometheus_dir as prepare\n"
        "path = prepare()\n"
        "import prometheus_client; prometheus_client.Counter('things', 'x').inc()\n"
        "import os; print(os.listdir(path))"
    )
    environ = {name: value for name, value in os.environ.items() if name != VARIABLE} | {
        "TMPDIR": tempfile.gettempdir()
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=60, check=True, env=environ
    )
    assert b"counter_" in done.stdout


def test_a_process_alone_has_no_directory_whatever_stood_in_the_environment():
    keep_to_this_process()
    assert VARIABLE not in os.environ
    assert prometheus_dir() is None
    assert metrics_port() is None


def test_the_launch_remembers_where_it_is_told():
    path = prepare_prometheus_dir()
    assert metrics_port() is None
    remember_port(path, 9195)
    assert metrics_port() == 9195


def test_a_launch_that_is_over_removes_its_directory_and_no_other(place, monkeypatch):
    path = prepare_prometheus_dir()
    remember_port(path, 9195)
    remove_prometheus_dir()
    assert not path.exists()
    foreign = place / "of somebody else"
    foreign.mkdir()
    monkeypatch.setenv(VARIABLE, str(foreign))
    remove_prometheus_dir()
    assert foreign.exists()
