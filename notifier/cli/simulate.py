"""`notifier simulate`: the scheduler under a load, in a simulation of its production code."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from notifier.cli.loads import FIELDS, parse_loads
from notifier.cli.simulated import in_words
from notifier.cli.support import fail, json_option, say, settings_or_exit
from notifier.cli.words import table
from notifier.scheduling.figures import Figures, measure
from notifier.scheduling.policy import Policy
from notifier.scheduling.scenarios import SCENARIOS, Scenario
from notifier.scheduling.simulation import Rule, Simulation, Traffic

if TYPE_CHECKING:
    from collections.abc import Callable

_RULES: dict[str, tuple[Rule, ...]] = {"lanes": ("lanes",), "heap": ("heap",), "both": ("lanes", "heap")}
_PICTURES = (".png", ".svg")
#: How long an own load is simulated unless told, and the longest, in seconds.
_SECONDS, _MOST_SECONDS = 60.0, 3600.0


def _finite(_context: click.Context, _parameter: click.Parameter, value: float | None) -> float | None:
    if value is not None and math.isnan(value):
        raise click.BadParameter(f"must be a number from 1 to {_MOST_SECONDS:g}")
    return value


def _picture(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> Path | None:
    if path is None:
        return None
    if path.suffix.lower() not in _PICTURES:
        raise click.BadParameter(f"must end in {' or '.join(_PICTURES)}")
    if not path.parent.is_dir():
        raise click.BadParameter(f"there is no folder {path.parent}")
    return path


@dataclass(frozen=True, slots=True)
class _Load:
    """What is simulated: its name (None: the operator's own), words, traffic, and the window of the figures."""

    name: str | None
    words: str
    traffic: list[Traffic]
    since: float
    seconds: float


@click.command()
@click.argument("scenario", required=False, type=click.Choice(list(SCENARIOS)), metavar="[SCENARIO]")
@click.option(
    "--lane",
    "loads",
    multiple=True,
    callback=parse_loads,
    metavar="LOAD",
    help="A lane of your own load instead of a scenario, as email.low:rate=50,seconds=0.2,backlog=1000; "
    f"may be given several times. The fields: {', '.join(FIELDS)}.",
)
@click.option("--threads", type=click.IntRange(1, 1024), help="Threads of the worker; default: Settings.")
@click.option(
    "--seconds",
    type=click.FloatRange(1, _MOST_SECONDS),
    callback=_finite,
    help=f"How long; default: the scenario's, {_SECONDS:g} for an own load.",
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the dice.")
@click.option(
    "--rule",
    type=click.Choice(list(_RULES)),
    default="both",
    show_default=True,
    help="The scheduler's lanes, Dramatiq's own strict order (heap), or both side by side.",
)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_picture,
    metavar="FILE",
    help="Draw it into this PNG or SVG file.",
)
@json_option
def command(
    *,
    scenario: str | None,
    loads: tuple[Traffic, ...],
    threads: int | None,
    seconds: float | None,
    seed: int,
    rule: str,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Simulate the scheduler's production code under SCENARIO, or list the scenarios.

    Prints each lane's waits (of what arrived in the window) and its part of the threads. Reads and sends
    nothing: only the clock is simulated, so minutes take seconds.
    """
    if scenario and loads:
        raise click.UsageError("give a SCENARIO or --lane, not both")
    if not scenario and not loads:
        if plot:
            raise click.UsageError("--plot needs a SCENARIO or --lane")
        _list(as_json)
        return
    if plot:
        from notifier.cli.plots import require_library

        require_library()
    threads = threads or settings_or_exit().worker_threads
    load = _load(scenario, loads, threads, seconds)
    runs = _run(load, threads, seed, _RULES[rule])
    if plot:
        _draw(plot, load, [simulation for simulation, _ in runs])
    found = [figures for _, figures in runs]
    document = {
        "scenario": load.name,
        "threads": threads,
        "seed": seed,
        "since": load.since,
        "seconds": load.seconds,
        "rules": [asdict(one) for one in found],
    }
    window = f"{threads} threads, seed {seed}, from second {load.since:g} to {load.seconds:g}"
    title = f"{load.name}: {load.words}" if load.name else load.words
    say(as_json, document, in_words(title, window, found))


def _list(as_json: bool) -> None:
    rows = [(name, f"{one.seconds:g}", one.words) for name, one in SCENARIOS.items()]
    document = {name: {"seconds": one.seconds, "words": one.words} for name, one in SCENARIOS.items()}
    say(as_json, document, table(("scenario", "seconds", "what happens"), rows))


def _load(name: str | None, loads: Sequence[Traffic], threads: int, seconds: float | None) -> _Load:
    if name is None:
        return _Load(None, "your own load", list(loads), 0.0, seconds or _SECONDS)
    chosen: Scenario = SCENARIOS[name]
    seconds = seconds or chosen.seconds
    # A short look still has a window: its second half.
    since = min(chosen.since, seconds / 2)
    return _Load(name, chosen.words, chosen.traffic(threads), since, seconds)


def _run(load: _Load, threads: int, seed: int, rules: Sequence[Rule]) -> list[tuple[Simulation, Figures]]:
    found = []
    policy = Policy(threads=threads)
    with _progress(load.seconds * len(rules)) as watch:
        for rule in rules:
            simulation = Simulation(policy, load.traffic, seconds=load.seconds, seed=seed, rule=rule)
            found.append((simulation, measure(simulation, load.since, watch)))
    return found


def _draw(path: Path, load: _Load, simulations: Sequence[Simulation]) -> None:
    from notifier.cli.plots import picture

    try:
        path.write_bytes(picture(simulations, load.name or load.words, path.suffix.lower()[1:]))
    except OSError as error:
        fail(f"--plot: {path} can't be written: {error.strerror}")


@contextmanager
def _progress(seconds: float) -> "Iterator[Callable[[float], None]]":
    """A bar on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("simulating", total=seconds)
        yield lambda step: bar.advance(task, step)
