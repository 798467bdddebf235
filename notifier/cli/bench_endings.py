"""How what a run of `notifier bench` sent has ended, read page by page from the service's list.

All of a run have one reference, which an index serves: 250 a question, and only pages with one that has not ended are asked for
again. So ten thousand cost about forty questions, not ten thousand.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from notifier.cli.answers import Door, NoAnswer
from notifier.cli.bench_figures import Measured
from notifier.domain.lanes import Lane
from notifier.domain.lifecycle import FINAL, Status

#: Rows of one question.
PAGE = 250
_ENDED = FINAL | {Status.HELD, Status.DELIVERED, Status.UNDELIVERED}


class Endings:
    """The pages of the reference `run`; nothing more may be accepted for it once this begins."""

    def __init__(self, door: Door, run: str, found: Measured) -> None:
        self._door = door
        self._run = run
        self._found = found
        #: Cursors of pages that are still to be read, or to be read again; None is the first page.
        self._left: list[str | None] = [None]
        #: Pages whose next one is known.
        self._walked: set[str | None] = set()
        self._first = self._last = 0.0

    @property
    def done(self) -> bool:
        """Whether every page has been read with nothing open on it."""
        return not self._left

    def look(self, watch: Callable[[int], None]) -> None:
        """Ask once for each page that is left; `watch` hears how many have ended. Raises `NoAnswer`."""
        pages, self._left = self._left, []
        while pages:
            cursor = pages.pop(0)
            page = self._page(cursor)
            if cursor not in self._walked:
                self._walked.add(cursor)
                pages += [page["next_cursor"]] if page["next_cursor"] else []
            if all(Status(row["status"]) in _ENDED for row in page["data"]):
                for row in page["data"]:
                    self._note(row)
            else:
                self._left.append(cursor)
            watch(self._found.ended)
        self._found.span = self._last - self._first

    def close(self) -> None:
        """Count what has ended on pages that are not done."""
        for cursor in self._left:
            for row in self._page(cursor)["data"]:
                if Status(row["status"]) in _ENDED:
                    self._note(row)
        self._found.span = self._last - self._first

    def _page(self, cursor: str | None) -> dict[str, Any]:
        query = {"reference": self._run, "limit": str(PAGE)}
        answer = self._door.notifications(query if cursor is None else {**query, "cursor": cursor})
        if not answer.good:
            raise NoAnswer(f"{answer.status} {answer.document.get('code', '')}".strip())
        return answer.document

    def _note(self, row: dict[str, Any]) -> None:
        self._found.endings[row["status"]] += 1
        created = datetime.fromisoformat(row["created_at"]).timestamp()
        if row["finished_at"] is None:
            return
        finished = datetime.fromisoformat(row["finished_at"]).timestamp()
        self._first = min(self._first or created, created)
        self._last = max(self._last, finished)
        if Status(row["status"]) in _SENT:
            lane = Lane.parse(f"{row['channel']}.{row['priority']}")
            self._found.sends.setdefault(lane, []).append(max(0.0, finished - created))


_SENT = frozenset({Status.SENT, Status.DELIVERED, Status.UNDELIVERED})
