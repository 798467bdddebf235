"""The tables in `docs/providers/`, made from the code: ``python -m tests.provider_pages`` writes them anew.

A page holds its tables between two marks; what stands between them is replaced::

    <!-- options: twilio -->           the options of one or more schemes, beside one another
    <!-- answers: notifier.providers.twilio_codes -->    the module's `ROWS`
    <!-- receipts: notifier.providers.vonage_receipts.ERRORS -->    the rows of that name in that module
    <!-- statuses -->                  what a status means where no row speaks of it
    <!-- end -->

`tests/unit/providers/test_pages.py` holds that the committed pages are current.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path

from notifier.domain.outcomes import Answer
from notifier.providers.answer_tables import in_words, outcome_in_words
from notifier.providers.http_outcomes import outcome_of_status
from notifier.providers.schemes import SCHEMES

PAGES = Path(__file__).parents[1] / "docs" / "providers"
_TABLE = re.compile(
    r"<!-- (options|answers|receipts|statuses)(?:: ([\w.+ ]+))? -->\n(.*?)<!-- end -->\n", re.DOTALL
)

#: What a row of statuses is called, and one that stands for them.
_STATUSES: Mapping[str, int] = {
    "3xx (never followed)": 302,
    "401, 402, 403": 401,
    "408, 425": 408,
    "413": 413,
    "429": 429,
    "any other 4xx": 400,
    "5xx": 503,
    "anything else that is no success": 299,
}


def rendered(page: str) -> str:
    """`page` with every table between its marks made anew."""
    return _TABLE.sub(_renewed, page)


def _renewed(found: re.Match[str]) -> str:
    mark = found[0].partition("\n")[0]
    return f"{mark}\n{_MAKERS[found[1]](found[2] or '')}<!-- end -->\n"


def _options(names: str) -> str:
    schemes = [SCHEMES[name] for name in names.split()]
    merged = {name: option for scheme in schemes for name, option in scheme.options.items()}
    rows = []
    for name, option in merged.items():
        having = [scheme.name for scheme in schemes if name in scheme.options]
        only = "" if len(having) == len(schemes) else f" ({', '.join(f'`{one}`' for one in having)} only)"
        rows.append((f"`{name}`", option.default, option.about + only))
    return _table(("option", "default", ""), rows)


def _answers(module: str) -> str:
    rows = import_module(module).ROWS
    return _table(
        ("code", "meaning", "outcome"), ((", ".join(row.codes), row.about, in_words(row)) for row in rows)
    )


def _receipts(rows: str) -> str:
    module, _, name = rows.rpartition(".")
    found = getattr(import_module(module), name)
    return _table(
        ("it says", "meaning", "reason"),
        ((", ".join(row.said), row.about, f"`{row.reason}`") for row in found),
    )


def _statuses(_: str) -> str:
    rows = (
        (name, outcome_in_words(outcome_of_status(status, Answer()))) for name, status in _STATUSES.items()
    )
    return _table(("status", "outcome"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n".replace("  ", " ") for cells in lines)


_MAKERS: Mapping[str, Callable[[str], str]] = {
    "options": _options,
    "answers": _answers,
    "receipts": _receipts,
    "statuses": _statuses,
}


def main() -> None:
    """Write every page anew, and say which were not current."""
    for path in sorted(PAGES.glob("*.md")):
        before = path.read_text()
        after = rendered(before)
        if after != before:
            path.write_text(after)
            sys.stdout.write(f"{path.name} is new\n")


if __name__ == "__main__":
    main()
