"""Folders that last for the whole run, for suites that are given URLs before there are fixtures."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path


@cache
def lasting_folder(name: str) -> Path:
    """One folder for each name, gone at the end."""
    path = Path(tempfile.mkdtemp(prefix=f"notifier-{name}-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path
