"""Promise 2's sum as a command shows it: one line, and what is wrong where it does not hold."""

from typing import Any

import click

from notifier.cli.database import NotUsable, open_database
from notifier.settings import Settings
from notifier.storage import books
from notifier.storage.books import Books


def in_words(found: Books) -> str:
    """``accepted 9 = pending 0 + held 0 + sent 9 + …``, with != where it does not hold."""
    right = " + ".join(f"{name} {number}" for name, number in found.parts.items())
    return f"accepted {found.accepted} {'=' if found.balanced else '!='} {right}"


def document(found: Books) -> dict[str, Any]:
    """The same for a program."""
    return {
        "accepted": found.accepted,
        **found.parts,
        "missing": found.missing,
        "balanced": found.balanced,
    }


def fault(found: Books) -> str:
    """What is wrong with it; nothing where it holds."""
    if found.balanced:
        return ""
    number = abs(found.missing)
    if found.missing > 0:
        what = f"{number} that {'was' if number == 1 else 'were'} accepted can't be found"
    else:
        what = f"{number} {'is' if number == 1 else 'are'} there that nobody counted as accepted"
    return (
        f"promise 2 is broken: {what}; did something other than this version of notifier write to its tables?"
    )


def show_books(settings: Settings) -> bool:
    """Print the sum of this database, and its fault on standard error; True if it holds."""
    try:
        with open_database(settings) as engine:
            found = books.read(engine)
    except NotUsable as error:
        click.echo(f"the sum of promise 2 can't be read: {error}", err=True)
        return False
    click.echo(in_words(found))
    if not found.balanced:
        click.echo(fault(found), err=True)
    return found.balanced
