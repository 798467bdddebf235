"""`notifier serve --processes N`: what its supervisor can't see from outside."""

import subprocess
import sys

_CODE = """
from notifier.cli import serve
from notifier.telemetry.logs import configure_logs

def fail(*_):
    raise LookupError("a part is missing")

configure_logs("json")
serve._serve = fail
serve._Supervisor(None, None, 1)._be_child(0)
"""


def test_a_child_that_fails_says_why():
    done = subprocess.run([sys.executable, "-c", _CODE], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert '"event":"http_process_failed"' in done.stderr
    assert "LookupError" in done.stderr
