"""No figure counts for work that was not done."""


class WrongResult(Exception):
    """A scenario's work was not what its figure says; the figure does not count."""


def same(what: str, found: object, wanted: object) -> None:
    """Raise `WrongResult` unless they are equal."""
    if found != wanted:
        raise WrongResult(f"{what}: {found}, not {wanted}")
