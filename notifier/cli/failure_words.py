"""Failures and operations for a person: tables, and one line for what became of them."""

from typing import Any

from notifier.cli.lanes import age
from notifier.cli.words import printable, table
from notifier.domain.replays import FailureState, OperationKind, OperationState

_HEAD: tuple[str, ...] = ("id", "lane", "status", "reason", "provider", "attempts", "ended", "answer")
#: Characters of a provider's answer in a list; the whole of it is in `notifier status` and in the JSON.
_ANSWER = 40


def listed(rows: list[dict[str, Any]], *, more: bool) -> str:
    """A line for each, with its state unless all are open."""
    if not rows:
        return "none"
    head, lines = _HEAD, [_line(row) for row in rows]
    if any(row["state"] != FailureState.OPEN for row in rows):
        head = ("state", *head)
        lines = [[row["state"], *line] for row, line in zip(rows, lines, strict=True)]
    told = table(head, lines)
    return f"{told}\nThere are more: a higher --limit shows them." if more else told


def _line(row: dict[str, Any]) -> list[str]:
    attempt = row["last_attempt"] or {}
    said = " ".join(str(attempt[name]) for name in ("code", "answer") if attempt.get(name)) or "-"
    cells = [
        row["id"],
        f"{row['channel']}.{row['priority']}",
        row["status"],
        row["reason"],
        row["provider"] or "-",
        str(row["attempts"]),
        f"{age(row['age_seconds'])} ago",
        said if len(said) <= _ANSWER else f"{said[: _ANSWER - 1]}…",
    ]
    return [printable(cell) for cell in cells]


def summed(found: dict[str, Any]) -> str:
    """A line for each kind."""
    if not found["data"]:
        return "none"
    names = found["group_by"]
    lines = [
        [
            *(printable(str(one["by"][name] or "-")) for name in names),
            str(one["count"]),
            one["oldest_at"],
            one["newest_at"],
        ]
        for one in found["data"]
    ]
    return table([*names, "count", "oldest", "newest"], lines)


def counted(found: dict[str, Any]) -> str:
    """What a dry run has found."""
    lost = [
        f"{number} {why}"
        for number, why in (
            (found["dropped"], "have expired"),
            (found["forgotten"], "have no content any more"),
        )
        if number
    ]
    told = f"{found['matched']} match" + (f", of which {' and '.join(lost)}" if lost else "")
    return f"{told}; more match than the limit lets through" if found["more"] else told


def told(found: dict[str, Any]) -> str:
    """An operation in one line."""
    name, matched = found["operation_id"], found["matched"]
    if found["kind"] == OperationKind.DISCARD:
        return f"{name}: {found['discarded']} put aside"
    parts = [f"{found['replayed']} of {matched} replayed"]
    parts += [f"{found['dropped']} expired"] if found["dropped"] else []
    parts += [f"{found['forgotten']} without content"] if found["forgotten"] else []
    match found["state"]:
        case OperationState.RUNNING:
            parts.append(f"{found['left']} wait for their turn")
        case OperationState.CANCELLED:
            parts.append("stopped")
    return f"{name}: {', '.join(parts)}"
