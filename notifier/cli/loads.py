"""`--lane email.low:rate=50,seconds=0.2`: one lane of an operator's own load, for `notifier simulate`."""

import math
import re
from collections.abc import Sequence

import click

from notifier.scheduling.policy import LaneOptions, Rank
from notifier.scheduling.scenarios import about
from notifier.scheduling.simulation import Traffic

#: Field → (least, most, what it is); both ends are allowed.
FIELDS = {
    "rate": (0.0, 100_000.0, "messages a second"),
    "seconds": (0.001, 3600.0, "what a call lasts, give or take a quarter"),
    "backlog": (0.0, 10_000_000.0, "messages that wait at the start"),
    "limit": (0.01, 100_000.0, "starts a second that the provider allows"),
    "weight": (0.01, 1000.0, "instead of the class's"),
}
_NAME = re.compile(r"([a-z][a-z0-9-]{0,31})\.(high|medium|low)", re.ASCII)


def parse_loads(
    _context: click.Context, _parameter: click.Parameter, texts: Sequence[str]
) -> tuple[Traffic, ...]:
    """Each `CHANNEL.PRIORITY:FIELD=NUMBER,…` as traffic; raises `BadParameter` that names the field."""
    found = tuple(_load(text) for text in texts)
    names = [one.lane.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise click.BadParameter(f"{name} is given twice")
    return found


def _load(text: str) -> Traffic:
    name, _, rest = text.partition(":")
    matched = _NAME.fullmatch(name)
    if matched is None:
        raise click.BadParameter(
            f"{name!r} must be CHANNEL.PRIORITY, as email.low; the priorities are high, medium, low"
        )
    fields = _fields(name, rest)
    if "seconds" not in fields:
        raise click.BadParameter(f"{name}: seconds is missing: {FIELDS['seconds'][2]}")
    if not fields.get("rate") and not fields.get("backlog"):
        raise click.BadParameter(f"{name}: rate or backlog must be given and above 0, else nothing happens")
    channel, priority = matched.groups()
    return Traffic(
        LaneOptions(name, Rank[priority.upper()], channel, fields.get("weight")),
        about(fields["seconds"]),
        rate=fields.get("rate", 0.0),
        backlog=int(fields.get("backlog", 0)),
        limit=fields.get("limit", float("inf")),
    )


def _fields(name: str, text: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        field, _, value = part.partition("=")
        if field not in FIELDS:
            raise click.BadParameter(f"{name}: {field!r} is no field; there are {', '.join(FIELDS)}")
        if field in found:
            raise click.BadParameter(f"{name}: {field} is given twice")
        found[field] = _number(name, field, value)
    return found


def _number(name: str, field: str, text: str) -> float:
    least, most, meaning = FIELDS[field]
    whole = field == "backlog"
    try:
        value = float(int(text)) if whole else float(text)
    except (ValueError, OverflowError):
        value = math.nan
    if not least <= value <= most:
        kind = "a whole number" if whole else "a number"
        raise click.BadParameter(
            f"{name}: {field} ({meaning}) must be {kind} from {least:.12g} to {most:.12g}, not {text!r}"
        )
    return value
