"""The figures of `notifier bench` for a person: a line a lane, what went wrong, a verdict."""

from typing import Any

from notifier.cli.bench_figures import SHARES
from notifier.cli.words import printable, table

_NAMES = tuple(SHARES)
_HEAD = (
    "lane",
    "accepted",
    *(f"{name} ms" if name == "p50" else name for name in _NAMES),
    "sent",
    *(f"{name} ms" if name == "p50" else name for name in _NAMES),
)


def in_words(found: dict[str, Any]) -> str:
    """`found` is what `bench_figures.document` gives."""
    asked = found["asked"]
    title = (
        f"{asked['rate']:g} notifications a second for {asked['seconds']:g} s, {asked['batch']} a request, "
        f"{found['mode']} key; reference {found['reference']}"
    )
    meaning = (
        "accepted: from the moment a request was due to its 202; sent: from accepted to its outcome stored"
    )
    rows = [_row(one) for one in (*found["lanes"], found["all"])]
    lines = [title, meaning, "", table(_HEAD, rows), ""]
    rates = {"accepted": found["accepted_per_second"], "ended": found["sent_per_second"]}
    lines += [
        ", ".join(f"{name} {rate:,}/s" for name, rate in rates.items() if rate is not None) or "no rates"
    ]
    lines += [_counts("not accepted", found["errors"])] if found["errors"] else []
    lines += [_counts("ended", found["endings"])] if found["endings"] else []
    return "\n".join([*lines, found["verdict"]])


def _row(one: dict[str, Any]) -> list[str]:
    return [
        one["lane"],
        f"{one['accepted']:,}",
        *_times(one["accept_ms"]),
        f"{one['sent']:,}",
        *_times(one["sent_ms"]),
    ]


def _times(found: dict[str, float] | None) -> list[str]:
    return [f"{found[name]:,.1f}" if found else "-" for name in _NAMES]


def _counts(title: str, found: dict[str, int]) -> str:
    return printable(f"{title}: " + ", ".join(f"{number:,} {name}" for name, number in found.items()))
