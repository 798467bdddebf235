"""What happened to a notification, or to a lane, as events in a fixed form: one line, or one JSON document, each.

An event is told once, whichever look shows it: by its words, since the moment of an attempt's start is known to
the millisecond only when it has ended.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from notifier.cli.words import printable

Event = dict[str, Any]
#: As the timeline of the API has it: "attempt 2 started", "attempt 2 deferred: throttled".
_ATTEMPT = re.compile(r"attempt (\d+) (\w+)(?:: (\w+))?")


def of_notification(found: dict[str, Any]) -> Iterator[Event]:
    """Every event of a notification as GET /v1/notifications/{id} shows it, in order."""
    attempts = {one["n"]: one for one in found["attempts"]}
    for one in found["timeline"]:
        event = {
            "at": one["at"],
            "event": one["event"],
            "notification": found["id"],
            "lane": f"{found['channel']}.{found['priority']}",
            "request_id": found["request_id"],
        }
        if (said := _ATTEMPT.fullmatch(one["event"])) is not None:
            event |= _attempt(said, attempts.get(int(said[1]), {}))
        elif one["event"] == found["status"]:
            event["reason"] = found["reason"]
        yield event


def of_row(row: dict[str, Any]) -> Event:
    """A notification's present state as one event, from a list: where there are too many to look at each."""
    return {
        "at": row["finished_at"] or row["next_attempt_at"] or row["created_at"],
        "event": row["status"],
        "notification": row["id"],
        "lane": f"{row['channel']}.{row['priority']}",
        "request_id": row["request_id"],
        "reason": row["reason"],
        "attempt": row["attempt"],
    }


def of_operator(found: dict[str, Any], lane: str) -> Event:
    """What an operator, or a breaker, did to a lane or to a provider of its channel."""
    return {
        "at": found["at"],
        "event": found["kind"],
        "lane": lane,
        "provider": found["provider"],
        "reason": found["reason"],
        "by": found["by"],
    }


def _attempt(said: re.Match[str], attempt: dict[str, Any]) -> Event:
    event: Event = {"event": f"attempt_{said[2]}", "attempt": int(said[1])}
    if said[2] == "started":
        return event
    return event | {
        "provider": attempt.get("provider"),
        "outcome": said[2],
        "reason": said[3],
        "duration_ms": attempt.get("duration_ms"),
        "possible_duplicate": bool(attempt.get("possible_duplicate")),
    }


def in_words(event: Event) -> str:
    """One line for a person; nothing in it comes from a provider or a caller but plain ids and names."""
    said = str(event["event"]).replace("_", " ")
    if event.get("attempt") and said.startswith("attempt "):
        said = f"attempt {event['attempt']} {said.removeprefix('attempt ')}"
    facts = [
        f": {event['reason']}" if event.get("reason") else "",
        f"  {event['provider']}" if event.get("provider") else "",
        f"  {event['duration_ms']} ms" if event.get("duration_ms") is not None else "",
        "  possible duplicate" if event.get("possible_duplicate") else "",
        f"  by {event['by']}" if event.get("by") else "",
    ]
    about = event.get("notification") or "the lane"
    return printable(f"{event['at']}  {event['lane']}  {about}  {said}{''.join(facts)}")


class Told:
    """What of each notification was told already; of so many of them, the rest is forgotten."""

    def __init__(self, most: int = 5_000) -> None:
        self._most = most
        self._told: dict[str, Counter[str]] = {}

    def new(self, notification: str, events: Iterator[Event]) -> list[Event]:
        """Those of its events that were not told yet; now they are."""
        before = self._told.pop(notification, Counter())
        now: Counter[str] = Counter()
        found = []
        for event in events:
            words = f"{event['event']} {event.get('attempt', '')} {event.get('reason') or ''}"
            now[words] += 1
            if now[words] > before[words]:
                found.append(event)
        self._told[notification] = now | before
        if len(self._told) > self._most:
            del self._told[next(iter(self._told))]
        return found
