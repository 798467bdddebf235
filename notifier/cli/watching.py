"""Following a replay to its end, with a bar on standard error where that is a terminal."""

import threading
from typing import Any

from notifier.cli.answers import NoAnswer
from notifier.cli.doors import end_with_problem, open_door
from notifier.cli.support import fail
from notifier.domain.replays import OperationState

#: Seconds between two looks, and for how many looks in a row nobody may answer.
_EVERY, _SILENCES = 0.5, 20


def watch(begun: dict[str, Any], tenant: str | None, as_json: bool) -> dict[str, Any]:
    """The operation as it ended; Ctrl-C, or a service that stays silent, ends the command and not the replay."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    name, between = begun["operation_id"], threading.Event()
    console = Console(stderr=True)
    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("", total=begun["matched"])
            found = begun
            while found["state"] == OperationState.RUNNING:
                bar.update(task, completed=found["matched"] - found["left"])
                between.wait(_EVERY)
                found = _look(name, tenant, as_json)
    except KeyboardInterrupt:
        fail(f"\n{_goes_on(name)}")
    return found


def _look(name: str, tenant: str | None, as_json: bool) -> dict[str, Any]:
    door, between = open_door(tenant), threading.Event()
    try:
        for turn in range(_SILENCES):
            try:
                answer = door.operation(name)
            except NoAnswer as error:
                if turn + 1 == _SILENCES:
                    fail(f"{error}\n{_goes_on(name)}")
                between.wait(_EVERY)
                continue
            if not answer.good:
                end_with_problem(answer, as_json)
            return answer.document
    finally:
        door.close()
    raise AssertionError("unreachable")


def _goes_on(name: str) -> str:
    return f"The replay goes on: notifier failures operation {name}; to end it: notifier failures stop {name}"
