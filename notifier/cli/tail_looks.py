"""Looking again and again at one notification, or at one lane, for what is new; each look has its bounds.

A lane is followed by the public lists: its newest notifications, those being sent, and those seen before that
were not at their end. So it works on any number of machines and needs no file.
"""

from collections.abc import Iterator
from typing import Any, Protocol

from notifier.cli.answers import Answer, Door
from notifier.cli.tail_events import Event, Told, of_notification, of_operator, of_row
from notifier.domain.lanes import Lane
from notifier.domain.lifecycle import MOVES, Status

#: Rows of one list, and notifications that one look shows in detail.
PAGE, DETAILS = 250, 20
#: Notifications that are remembered: a lane has more than anybody reads.
_KNOWN = 5_000


class Refused(Exception):
    """The door's answer is no good one."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Looks(Protocol):
    """What is followed."""

    #: Whether nothing more can come.
    ended: bool
    #: Whether more came since the last look than one can show.
    left_out: bool

    def look(self, door: Door) -> list[Event]:
        """What is new since the last look, in order; raises `NoAnswer` or `Refused`."""


class OneNotification:
    """A notification by its id."""

    def __init__(self, notification: str) -> None:
        self.ended = self.left_out = False
        self._id = notification
        self._told = Told()

    def look(self, door: Door) -> list[Event]:
        """See `Looks`."""
        found = _good(door.show(self._id))
        self.ended = Status(found["status"]) not in MOVES
        return self._told.new(self._id, of_notification(found))


class OneLane:
    """A lane; the first look tells the last `lines` events, later ones what is new."""

    def __init__(self, lane: Lane, lines: int) -> None:
        self.ended = self.left_out = False
        self._lane = lane
        self._lines = lines
        self._first = True
        self._told = Told(_KNOWN)
        #: By id what stood in the list: state, attempt, when it ended, when it is due.
        self._seen: dict[str, tuple[Any, ...]] = {}
        self._newest = ""
        self._operator_event: int | None = None

    def look(self, door: Door) -> list[Event]:
        """See `Looks`."""
        rows = self._rows(door)
        changed = [row for row in rows.values() if self._seen.get(row["id"]) != _state(row)]
        if self._first:
            self._remember(changed[self._lines :])
            changed = changed[: self._lines]
        events = [event for row in changed[:DETAILS] for event in self._of(door, row)]
        for row in changed[DETAILS:]:
            events += self._told.new(row["id"], iter([of_row(row)]))
        self._remember(changed)
        events += self._of_operators(door)
        events = _in_order(events)
        first, self._first = self._first, False
        return events[-self._lines :] if first and self._lines else [] if first else events

    def _rows(self, door: Door) -> dict[str, dict[str, Any]]:
        """The newest ones, those being sent, and some of those that were seen and had not ended, newest first."""
        newest = self._list(door)
        self.left_out = bool(self._newest) and len(newest) == PAGE and newest[-1]["id"] > self._newest
        self._newest = newest[0]["id"] if newest else self._newest
        rows = {row["id"]: row for row in (*newest, *self._list(door, status=str(Status.SENDING)))}
        for wanted in self._not_ended(rows):
            found = _good(door.show(wanted))
            rows[wanted] = found
        return rows

    def _not_ended(self, rows: dict[str, Any]) -> list[str]:
        """Those that no list shows, the longest unseen first."""
        gone = [one for one, state in self._seen.items() if one not in rows and Status(state[0]) in _MOVING]
        for one in gone[:DETAILS]:
            self._seen[one] = self._seen.pop(one)
        return gone[:DETAILS]

    def _list(self, door: Door, **more: str) -> list[dict[str, Any]]:
        lane = {"channel": str(self._lane.channel), "priority": str(self._lane.priority)}
        found: list[dict[str, Any]] = _good(door.notifications({**lane, **more, "limit": str(PAGE)}))["data"]
        return found

    def _of(self, door: Door, row: dict[str, Any]) -> list[Event]:
        found = row if "timeline" in row else _good(door.show(row["id"]))
        return self._told.new(row["id"], of_notification(found))

    def _remember(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            self._seen[row["id"]] = _state(row)
        while len(self._seen) > _KNOWN:
            del self._seen[next(iter(self._seen))]

    def _of_operators(self, door: Door) -> Iterator[Event]:
        """What was done to the lane, or to a provider of its channel, since the last look."""
        query = {"channel": str(self._lane.channel), "limit": str(PAGE)}
        if self._operator_event is not None:
            query["after"] = str(self._operator_event)
        found = _good(door.operator_events(query))["data"]
        self._operator_event = max((one["id"] for one in found), default=self._operator_event or 0)
        for one in found:
            if one["provider"] or one["priority"] == self._lane.priority:
                yield of_operator(one, self._lane.name)


#: What may still change without being asked for again.
_MOVING = frozenset({Status.SCHEDULED, Status.QUEUED, Status.SENDING, Status.HELD})


def _in_order(events: list[Event]) -> list[Event]:
    """By time, but none before what came before it in its notification: an attempt's end is off by milliseconds."""
    latest: dict[str, str] = {}
    keys = []
    for event in events:
        about = str(event.get("notification"))
        latest[about] = max(latest.get(about, ""), str(event["at"]))
        keys.append(latest[about])
    return [events[place] for place in sorted(range(len(events)), key=keys.__getitem__)]


def _state(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["status"], row["attempt"], row["finished_at"], row["next_attempt_at"]


def _good(answer: Answer) -> dict[str, Any]:
    if not answer.good:
        raise Refused(answer)
    return answer.document
