"""A simulation as a picture: which lane's calls the threads ran, and below it how long high waited.

matplotlib is an extra and slow to import, so only what draws imports it. The same simulation gives the same
bytes: no date, no random ids, nobody's own style.
"""

import io
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from notifier.cli.support import fail
from notifier.scheduling.simulation import LaneResult, Simulation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: How many steps a picture has over its whole time.
_STEPS = 400
#: The shortest wait that the lower part can show, in milliseconds: its scale is a logarithm.
_LEAST_MS = 0.1
_STYLE: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "notifier", "font.size": 9.0}
_COLOURS = {"lanes": "#1f77b4", "heap": "#c77700"}
_NAMES = {"lanes": "the scheduler's lanes", "heap": "Dramatiq's own strict order (heap)"}


def require_library() -> None:
    """Exits with 1 and how to get it when matplotlib is missing."""
    if find_spec("matplotlib") is None:
        fail("--plot needs matplotlib: pip install notifier[plot]")


def picture(simulations: Sequence[Simulation], title: str, form: str) -> bytes:
    """A PNG or SVG (`form` "png" or "svg") of simulations that ran the same load under different rules."""
    require_library()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        parts = len(simulations) + 1
        figure = Figure(figsize=(9, 2.6 * parts), layout="constrained", dpi=110)
        axes = figure.subplots(parts, 1, sharex=True, squeeze=False)[:, 0]
        figure.suptitle(f"{title}, {simulations[0].policy.threads} threads")
        for simulation, part in zip(simulations, axes, strict=False):
            _draw_threads(part, simulation)
        _draw_waits(axes[-1], simulations)
        written = io.BytesIO()
        unsigned = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(written, format=form, metadata=unsigned)
    return written.getvalue()


def _draw_threads(axes: "Axes", simulation: Simulation) -> None:
    """Running threads of each lane, stacked, below what the reserves leave to the other classes."""
    width = simulation.seconds / _STEPS
    moments = [(step + 0.5) * width for step in range(_STEPS)]
    series = [running(result, simulation.seconds, _STEPS) for result in simulation.lanes.values()]
    axes.stackplot(moments, series, labels=list(simulation.lanes), step="mid", linewidth=0)
    threads = simulation.policy.threads
    axes.axhline(threads, color="black", linewidth=0.8)
    if simulation.rule == "lanes" and any(kept for _, kept in simulation.kept):
        left = [threads - kept for _, kept in simulation.kept]
        axes.step(
            [at for at, _ in simulation.kept],
            left,
            where="post",
            color="black",
            linewidth=0.8,
            linestyle=":",
            label="above: kept by reserves",
        )
    axes.set_title(_NAMES[simulation.rule], fontsize=9, loc="left")
    axes.set_ylabel("running threads")
    axes.set_ylim(0, None)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)


def running(result: LaneResult, seconds: float, steps: int) -> list[float]:
    """A lane's running threads, the mean over each of so many steps."""
    width = seconds / steps
    found = [0.0] * steps
    for begin, end in result.spans:
        first, last = int(begin / width), min(int(end / width), steps - 1)
        for step in range(first, last + 1):
            found[step] += max(0.0, min(end, (step + 1) * width) - max(begin, step * width)) / width
    return found


def _draw_waits(axes: "Axes", simulations: Sequence[Simulation]) -> None:
    """The longest wait of the highest class, by when it arrived."""
    best = min(lane.rank for lane in simulations[0].scheduler.lanes.values())
    chosen = [name for name, lane in simulations[0].scheduler.lanes.items() if lane.rank == best]
    for simulation in simulations:
        points = longest_waits([simulation.lanes[name] for name in chosen], simulation.seconds, _STEPS)
        axes.plot(
            [at for at, _ in points],
            [max(_LEAST_MS, 1000 * wait) for _, wait in points],
            color=_COLOURS[simulation.rule],
            marker=".",
            markersize=3,
            linewidth=0.7,
            label=simulation.rule,
        )
    axes.set_yscale("log")
    axes.set_title(f"longest wait of {', '.join(chosen)} by arrival", fontsize=9, loc="left")
    axes.set_ylabel("ms")
    axes.set_xlabel("seconds")
    axes.set_xlim(0, simulations[0].seconds)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)


def longest_waits(results: Sequence[LaneResult], seconds: float, steps: int) -> list[tuple[float, float]]:
    """(moment, longest wait in s) for each step in which one arrived; who still waits counts with its age."""
    width = seconds / steps
    found: dict[int, float] = {}
    for result in results:
        waits = [*result.waits, *((at, seconds - at) for at in result.left)]
        for at, wait in waits:
            step = min(int(at / width), steps - 1)
            found[step] = max(found.get(step, 0.0), wait)
    return [((step + 0.5) * width, wait) for step, wait in sorted(found.items())]
