"""One case of a storm: load, faults, settling, and the invariants I1 to I8 at its end."""

import contextlib
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from notifier.storage.books import read as read_books
from tests.nodes.waiting import wait_until
from tests.storms.kit import form
from tests.storms.kit.checker import Seen, Verdict, judge
from tests.storms.kit.installation import Installation
from tests.storms.kit.load import CANARY, Load, email
from tests.storms.kit.observations import Rows, kept, rows_of, unended

#: Seconds until all is ended after the last fault: a lease (10 s), the dead worker's beat, the retries.
SETTLE = 60.0

Note = Callable[[str, object], None]


class Case:
    """Use it as a context: inside, load runs and faults are made; at its end all is judged.

    `bound` grows with each fault by what that fault may duplicate. `needs_pace`: the short form goes as fast. `note` is pytest's `record_property`.
    """

    def __init__(
        self,
        installation: Installation,
        note: Note,
        fault: str,
        words: str,
        *,
        pace: float = 30.0,
        needs_pace: bool = False,
        limit: int | None = None,
        settle: float = SETTLE,
        body: Callable[[int], dict[str, object]] = email,
        doors: Sequence[int] | None = None,
    ) -> None:
        self.installation, self.fault_id, self.words = installation, fault, words
        self.dice: random.Random = form.dice(f"{fault} {words}")
        self.faults = self.bound = 0
        self.remarks: dict[str, Any] = {}
        self.settle = settle
        self._note = note
        self._beside = 0
        self._run = f"{fault}-{self.dice.randrange(16**8):08x}"
        self._before = set(installation.sunk.refresh().counts)
        self.load = Load(
            self._run,
            installation.folder,
            installation.ports if doors is None else doors,
            installation.key(),
            self.dice,
            pace=pace if needs_pace else form.at_most(pace),
            limit=limit,
            body=body,
        )

    # Inside.

    def repeats(self, *, short: int, full: int) -> Iterator[int]:
        """Each turn, with load accepted in between."""
        for turn in range(form.either(short=short, full=full)):
            self.wait_for_load()
            yield turn

    def hit(self, *, bound: int = 0, faults: int = 1) -> None:
        """Count a fault and the duplicates it may cost."""
        self.faults += faults
        self.bound += bound

    def wait_for_load(self, number: int = 20, within: float = 30) -> None:
        """Until so many more are accepted."""
        before = len(self.load.accepted)
        wait_until(
            lambda: len(self.load.accepted) >= before + number or self.load.failure is not None,
            form.patience(within),
            f"{number} more 202s ({self.load.answers})",
        )

    def wait_for_sending(self, number: int = 20, within: float = 30) -> float:
        """Until the provider took so many more; the seconds it lasted."""
        begun, before = time.monotonic(), self.installation.sunk.total
        wait_until(
            lambda: self.installation.sunk.total >= before + number,
            form.patience(within),
            f"{number} more hand-overs",
        )
        return time.monotonic() - begun

    def remark(self, name: str, value: float) -> None:
        """Keep the greatest value seen under this name for the table."""
        self.remarks[name] = round(max(value, self.remarks.get(name, value)), 2)

    def also(self, accepted: Mapping[int, str], erred: Iterable[int] = ()) -> None:
        """Count requests made beside the load: the id that each number's 202 named, and whose client saw errors.

        Their references are the run's (`reference`), with numbers the load does not reach.
        """
        self._beside += len(accepted)
        self.load.accepted.update(accepted)
        self.load.erred.update(erred)

    def reference(self, number: int) -> str:
        """The reference that makes a request one of this run."""
        return f"{self._run}-{number}"

    def finish(self) -> float:
        """End the load and wait for every ending, for a case that looks at them itself; how long it took."""
        self.load.finish()
        return self._settle()

    # Beginning and end.

    def __enter__(self) -> Self:
        self.begun = time.monotonic()
        self.load.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.load._enough.set()
            self._tell(None, [f"{kind.__name__ if kind else ''}: {str(error)[:200]}"])
            return
        settled = self.finish()
        seen = self.seen()
        verdict = judge(seen, self.bound)
        if seen.timed_out:
            self.remark("calls_timed_out", seen.timed_out)
        problems = [*verdict.wrong, *self._further()]
        self.remark("settled_s", settled)
        self._tell(verdict, problems)
        assert not problems, f"{self.fault_id} {self.words}, seed {form.SEED}: {problems}"
        self.installation.wait_whole()

    def _settle(self) -> float:
        """Until every notification of the run has ended, or the time for it is over."""
        begun = time.monotonic()
        self.installation.engine.dispose()  # a fault may have ended our own sessions
        with contextlib.suppress(AssertionError):  # I4 names how many
            wait_until(
                lambda: not unended(self.installation.engine, self._run),
                form.patience(self.settle),
                "every ending",
            )
        return time.monotonic() - begun

    def rows(self) -> Rows:
        """What storage keeps of this run."""
        return rows_of(self.installation.engine, self._run)

    def seen(self) -> Seen:
        """Everything the checker looks at."""
        rows = self.rows()
        self._remember(rows)
        return Seen(
            attempted=self.load.attempted + self._beside,
            ok=self.load.accepted,
            erred=self.load.erred,
            ids=rows.ids,
            delivered=self.installation.sunk.refresh().counts,
            known=self._before | self._others(rows),
            ended=rows.ended,
            waiting=rows.waiting,
            marked=rows.marked,
            timed_out=rows.timed_out,
        )

    def _others(self, rows: Rows) -> set[str]:
        """What was handed over since, and stands in storage as another's than this run's."""
        strange = set(self.installation.sunk.counts) - set(rows.status) - self._before
        return kept(self.installation.engine, strange)

    def _remember(self, rows: Rows) -> None:
        self.installation.history[self._run] = dict(rows.finished)

    def _further(self) -> list[str]:
        """I5 to I8, and the answers no promise allows."""
        found = [f"an answer no promise allows: {wrong}" for wrong in sorted(set(self.load.wrong))]
        books = read_books(self.installation.engine)
        if not books.balanced:
            found.append(f"I5 promise 2's sum does not hold: {books.missing} missing")
        found += [f"I6 ended twice: {run}" for run in self._ended_twice()]
        log = self.installation.log
        if CANARY in log:
            found.append(f"I8 an address or a body in the log: {_around(log, CANARY)}")
        found += [f"I8 an error without its event id: {event}" for event in self._new_errors()]
        return found

    def _new_errors(self) -> list[str]:
        return sorted(set(self.installation.errors_without_id()))

    def _ended_twice(self) -> list[str]:
        """Earlier runs of this installation some of whose endings have changed since."""
        engine = self.installation.engine
        return [
            run
            for run, finished in self.installation.history.items()
            if rows_of(engine, run).finished != finished
        ]

    def _tell(self, verdict: Verdict | None, problems: list[str]) -> None:
        counts = {
            name: getattr(verdict, name, None)
            for name in ("attempted", "ok", "lost", "unexpected", "duplicated", "marked", "recovered")
        }
        self._note(
            "storm",
            {
                "fault": self.fault_id,
                "case": self.words,
                "subject": "notifier",
                "faults": self.faults,
                **counts,
                "bound": self.bound,
                "seed": form.SEED,
                "seconds": round(time.monotonic() - self.begun, 1),
                "remarks": self.remarks,
                "problems": problems,
            },
        )


def _around(text: str, word: str) -> str:
    at = text.index(word)
    return repr(text[max(0, at - 120) : at + 40])
