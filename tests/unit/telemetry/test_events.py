"""Every event that `notifier` logs has a constant name, and stands in `docs/logs.md`, and nothing else does."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "logs.md"
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
#: A method of a logger that is kept for later.
UNCALLED = re.compile(rf"\blog\.({'|'.join(LEVELS)})\b(?!\()")
#: A row of the page: event, levels, what it says.
ROW = re.compile(r"\| `([a-z_]+)` \| ([a-z, ]+) \| (.+) \|")


def calls(path: Path) -> Iterator[ast.Call]:
    """Every call of a method of a logger in a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in LEVELS
            and re.fullmatch(r"log|logger|(structlog\.)?get_logger\(.*\)", ast.unparse(node.func.value))
        ):
            yield node


def names(event: ast.expr) -> list[str] | None:
    """The constants that an event's name may be; None where it is put together."""
    match event:
        case ast.Constant(value=str(name)):
            return [name]
        case ast.IfExp(body=ast.Constant(value=str(one)), orelse=ast.Constant(value=str(other))):
            return [one, other]
    return None


def logged() -> set[tuple[str, str]]:
    """Every event with its level, as the sources have them."""
    found: set[tuple[str, str]] = set()
    for path in (ROOT / "notifier").rglob("*.py"):
        for call in calls(path):
            # A method of a logger is an event's level, "exception" that of an error with its trace.
            level = call.func.attr.replace("exception", "error")
            found |= {(name, level) for name in names(call.args[0]) or []}
    return found


def told() -> dict[str, set[str]]:
    """Every event with its levels, as the page has them."""
    return {found[1]: set(found[2].split(", ")) for found in ROW.finditer(PAGE.read_text())}


def test_every_name_is_a_constant_in_lower_case():
    """So that whoever reads a line finds its place in the sources, and its row on the page."""
    strange = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in (ROOT / "notifier").rglob("*.py")
        for call in calls(path)
        if len(call.args) != 1
        or (found := names(call.args[0])) is None
        or not all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in found)
    ]
    assert strange == []


def test_loggers_are_called_log_and_called_by_their_levels():
    """Else the walk of this module would miss their events."""
    aliased = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "notifier").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assign)
        and ast.unparse(node.value).startswith(("structlog.get_logger(", "get_logger("))
        and ast.unparse(node.targets[0]) != "log"
    ]
    bound = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "notifier").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assign | ast.NamedExpr) and UNCALLED.search(ast.unparse(node.value))
    ]
    assert aliased == []
    assert bound == []


def test_the_page_lists_every_event_with_its_levels_and_no_other():
    by_name: dict[str, set[str]] = {"log_lines_dropped": {"warning"}}  # made below the loggers
    for name, level in logged():
        by_name.setdefault(name, set()).add(level)
    assert len(by_name) > 80
    assert told() == by_name


def test_the_page_is_in_order():
    """Each part is sorted, so that a name is found at once."""
    for part in PAGE.read_text().split("\n## ")[1:]:
        found = [one[1] for one in ROW.finditer(part)]
        assert found == sorted(found)
