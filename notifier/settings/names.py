"""How a setting's field is called outside, read and shown."""

from dataclasses import Field

from notifier.settings.values import Rule

PREFIX = "NOTIFIER_"


def rule_of(one: Field[object]) -> Rule:
    """How the field's value is read and shown."""
    rule = one.metadata["rule"]
    assert isinstance(rule, Rule)  # noqa: S101 - only `setting` makes these fields
    return rule


def variable(name: str) -> str:
    """The environment variable of the setting called `name`."""
    return PREFIX + name.upper()


def shown(one: Field[object], value: object) -> str:
    """A value of the field as people may see it."""
    return "" if value is None else rule_of(one).show(value)
