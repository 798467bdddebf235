"""What dead processes of a launch have counted is kept in one file for each kind; what they said of now goes.

A file for each process that ever lived would make every scrape dearer than the last.
"""

import re
from pathlib import Path
from typing import Any

from prometheus_client import mmap_dict, multiprocess

from notifier.telemetry.parents import lives

_OF_PROCESS = re.compile(r"(counter|histogram|gauge_live[a-z]+)_(\d+)\.db")
#: In the place of a process's id.
_GONE = "gone"
#: Without types of their own.
_Values: Any = mmap_dict.MmapedDict
_merge: Any = multiprocess.MultiProcessCollector.merge


def fold(folder: Path) -> int:
    """Fold the files of processes that live no more; how many there were. The caller holds the folder's lock."""
    dead: dict[str, list[Path]] = {}
    for path in folder.glob("*.db"):
        found = _OF_PROCESS.fullmatch(path.name)
        if found and not lives(int(found[2])):
            dead.setdefault(found[1], []).append(path)
    for kind, paths in dead.items():
        if not kind.startswith("gauge"):
            _add(folder / f"{kind}_{_GONE}.db", paths)
        for path in paths:
            path.unlink(missing_ok=True)
    return sum(map(len, dead.values()))


def _add(target: Path, paths: list[Path]) -> None:
    """Make `target` the sum of itself and `paths`, in one move."""
    files = [str(path) for path in (target, *paths) if path.exists()]
    beside = target.with_suffix(".new")
    beside.unlink(missing_ok=True)
    file = _Values(str(beside))
    for metric in _merge(files, accumulate=False):
        for sample in metric.samples:
            _write(file, metric, sample)
    file.close()
    beside.replace(target)


def _write(file: Any, metric: Any, sample: Any) -> None:
    names = list(sample.labels)
    key = mmap_dict.mmap_key(
        metric.name, sample.name, names, [sample.labels[one] for one in names], metric.documentation
    )
    file.write_value(key, sample.value, 0.0)
