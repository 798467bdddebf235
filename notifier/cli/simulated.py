"""The figures of a simulation for a person: a line for each lane under each rule, then why threads idled."""

from collections.abc import Sequence
from typing import Any

from notifier.cli.words import table
from notifier.scheduling.figures import Figures

_HEAD = ("rule", "lane", "arrivals", "starts", "left", "thread-s", "share", "p50 ms", "p99 ms", "max ms")
#: Fewer idle thread-seconds than this are shown as none.
_SHOWN = 0.05


def in_words(title: str, window: str, found: Sequence[Figures]) -> str:
    """`found` are the same load under different rules; `title` and `window` say which and when."""
    reasons = [
        reason
        for reason in found[0].idle_thread_seconds
        if any(one.idle_thread_seconds[reason] >= _SHOWN for one in found)
    ]
    rows = [(reason, *(f"{one.idle_thread_seconds[reason]:.1f}" for one in found)) for reason in reasons]
    idle = table(("idle thread-s", *(one.rule for one in found)), rows) if rows else "no thread idled"
    return "\n".join([title, window, "", table(_HEAD, _rows(found)), "", idle])


def _rows(found: Sequence[Figures]) -> list[list[str]]:
    rows = []
    for figures in found:
        for one in figures.lanes:
            counts: list[Any] = [figures.rule, one.lane, one.arrivals, one.starts, one.left]
            waits = [one.wait_p50_ms, one.wait_p99_ms, one.wait_max_ms]
            rows.append(
                [
                    *map(str, counts),
                    f"{one.thread_seconds:.1f}",
                    f"{100 * one.share:.1f}%",
                    *("-" if wait is None else f"{wait:.1f}" for wait in waits),
                ]
            )
    return rows
