"""The directory that the processes of one `dramatiq` launch share for their metrics.

prometheus_client chooses its multiprocess mode when it is imported: `prepare_prometheus_dir` must run
before that, at the top of `worker.py` and of the relay's fork. All they share is their parent, so its
id and start time name the directory.
"""

import os
import re
import shutil
import stat
import tempfile
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX = "notifier-metrics"
_PORT = "port"
_NAME = re.compile(rf"{_PREFIX}-(\d+)-(\d+)-(\d+)")


def prepare_prometheus_dir(parent_pid: int | None = None) -> Path:
    """Make or find the launch's directory, put it into the environment, and remove those of dead launches.

    `parent_pid` is the launcher's id (this process's parent unless told). Only the first process of a
    launch makes the directory, so it is empty then and never emptied under the others. Raises
    `RuntimeError` if the name is taken by anything but a private directory of this user.
    """
    parent = os.getppid() if parent_pid is None else parent_pid
    place = Path(tempfile.gettempdir())
    path = place / f"{_PREFIX}-{os.geteuid()}-{parent}-{_started(parent) or 0}"
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        _must_be_private(path)
    else:
        _remove_dead(place)
    os.environ[VARIABLE] = str(path)
    return path


def keep_to_this_process() -> None:
    """No directory: one process tells its own metrics, whatever the environment says."""
    os.environ.pop(VARIABLE, None)


def prometheus_dir() -> Path | None:
    """This process's directory; None where nobody prepared one."""
    found = os.environ.get(VARIABLE)
    return Path(found) if found else None


def remember_port(folder: Path, port: int) -> None:
    """The launch's metrics are told on this port."""
    beside = folder / "port.new"
    beside.write_text(str(port), encoding="ascii")
    beside.replace(folder / _PORT)


def metrics_port() -> int | None:
    """Where this launch's metrics are told, as far as is known."""
    folder = prometheus_dir()
    try:
        return None if folder is None else int((folder / _PORT).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def remove_prometheus_dir() -> None:
    """The launch is over: its directory goes. One that is not ours stays."""
    path = prometheus_dir()
    if path is not None and _NAME.fullmatch(path.name):
        shutil.rmtree(path, ignore_errors=True)


def _must_be_private(path: Path) -> None:
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise RuntimeError(f"{path} is not a private directory of this user: remove it")


def _remove_dead(place: Path) -> None:
    """Remove this user's directories whose launcher is gone; its id may belong to another process now."""
    for path in place.glob(f"{_PREFIX}-*"):
        found = _NAME.fullmatch(path.name)
        if found and int(found[1]) == os.geteuid() and str(_started(int(found[2])) or "gone") != found[3]:
            shutil.rmtree(path, ignore_errors=True)


def _started(pid: int) -> int | None:
    """When the process started, in clock ticks since boot (proc(5), field 22); None if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    # The second field is the command's name in parentheses, which may itself hold spaces and parentheses.
    return int(text.rpartition(")")[2].split()[19])
