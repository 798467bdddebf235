"""A rate as people write it: 14/s, 600/m, 2.5/h."""

import re

_UNITS = {"s": 1, "m": 60, "h": 3600}
_RATE = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)/([smh])", re.ASCII)
#: The least and the greatest rate, in permits a second: one in 1000 hours, and more than one process sends.
LEAST, MOST = 1 / 3_600_000, 100_000.0

ALLOWED = "must be a number and a unit, such as 14/s, 600/m or 1000/h: at least 0.001/h, at most 100000/s"


def parse_rate(text: str) -> float:
    """Permits a second; raises `ValueError` with what is allowed.

    >>> parse_rate("600/m")
    10.0
    """
    found = _RATE.fullmatch(text)
    rate = float(found[1]) / _UNITS[found[2]] if found else 0.0
    if not LEAST <= rate <= MOST:
        raise ValueError(ALLOWED)
    return rate


def show_rate(rate: float) -> str:
    """The rate in the unit in which it is short.

    >>> show_rate(10.0), show_rate(0.5), show_rate(1 / 120)
    ('10/s', '30/m', '30/h')
    """
    for unit, seconds in _UNITS.items():
        number = round(rate * seconds, 3)
        if number >= 1 and abs(number - round(number)) < 1e-3:  # noqa: PLR2004 - a thousandth is what can be written
            return f"{number:.12g}/{unit}"
    return f"{rate:.12g}/s" if rate >= 1 else f"{rate * 3600:.12g}/h"
