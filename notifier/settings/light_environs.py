"""Import environs, and with it marshmallow, without waiting for a pattern that nobody here asks for.

marshmallow compiles its pattern of an e-mail's domain as it is imported. It goes through all of Unicode in both cases:
23 of the 35 ms that marshmallow takes. It is compiled by whoever first uses it.
"""

import re
import sys
from typing import Any

_FAR = "\uffff"


class _LatePattern:
    """Compiles itself when it is first used."""

    def __init__(self, *given: Any) -> None:
        self._given = given

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            # A class that is made asks each of its members whether it is abstract.
            raise AttributeError(name)
        return getattr(re.compile(*self._given), name)


def import_environs() -> None:
    """Import environs now. To be called while the process has one thread."""
    if "marshmallow" in sys.modules:
        return
    real = re.compile

    def compile_later(pattern: Any, flags: Any = 0) -> Any:
        late = isinstance(pattern, str) and _FAR in pattern
        return _LatePattern(pattern, flags) if late else real(pattern, flags)

    re.compile = compile_later
    try:
        import environs  # noqa: F401
    finally:
        re.compile = real
