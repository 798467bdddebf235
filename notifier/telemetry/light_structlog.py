"""Import structlog without rich, for a process that never draws.

structlog imports rich, and with it Pygments and attrs, wherever they are installed, for tracebacks that our log does
not have (`logs` gives its console renderer a plain one). The command line needs rich for its progress bars, so it is
installed; a worker would wait for it at every start.
"""

import sys

_UNUSED = "rich"


def import_structlog() -> None:
    """Import structlog now; rich stays importable for whoever asks for it later."""
    if "structlog" in sys.modules or _UNUSED in sys.modules:
        return
    # What the import system takes for "not there", as structlog expects of an optional dependency.
    sys.modules[_UNUSED] = None  # type: ignore[assignment]
    try:
        import structlog  # noqa: F401
    finally:
        del sys.modules[_UNUSED]
