"""What one setting's value may be: a rule parses the text of a variable and says what is allowed."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from email.utils import parseaddr
from typing import Any, TypeVar

from notifier.domain.quotas import parse_quotas
from notifier.domain.rates import parse_rate, show_rate
from notifier.settings import urls

_WHOLE, _FIGURE = r"\d{1,6}", r"\d{1,6}(\.\d{1,6})?"
#: The longest part of a wrong value that an error repeats, in characters.
SHOWN = 64

T = TypeVar("T")
N = TypeVar("N", int, float)


class SettingsError(Exception):
    """One or more settings can't be used; `problems` are pairs (setting's name, what is allowed)."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        self.problems = problems
        super().__init__("\n".join(f"{name}: {allowed}" for name, allowed in problems))


@dataclass(frozen=True, slots=True)
class Rule:
    """How a value is read: `parse` raises `ValueError` for anything but what `allowed` says.

    `secret` values are never repeated in an error; `show` is how the value is shown to people, masked.
    `optional` ones may be empty, which means none.
    """

    parse: Callable[[str], object]
    allowed: str
    secret: bool = False
    optional: bool = False
    show: Callable[[Any], str] = str

    def read(self, text: str) -> object:
        """The value in `text`; raises `ValueError` with a sentence for the operator."""
        text = text.strip()
        if not text:
            if self.optional:
                return None
            raise ValueError(f"must be {self.allowed}, not empty")
        try:
            return self.parse(text)
        except ValueError:
            raise ValueError(self._wrong(text)) from None

    def _wrong(self, text: str) -> str:
        if self.secret:
            return f"must be {self.allowed} (its value is not shown)"
        shown = text if len(text) <= SHOWN else text[:SHOWN] + "…"
        return f"must be {self.allowed}, not {shown!r}"


def setting(default: T, rule: Rule) -> T:
    """A field of Settings with its default and its rule."""
    return field(default=default, metadata={"rule": rule})


def whole(least: int, most: int) -> Rule:
    """A whole number."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
            raise ValueError(text)
        return _within(int(text), least, most)

    return Rule(parse, f"a whole number from {least} to {most}")


def seconds(least: float, most: float) -> Rule:
    """A span in seconds; decimals are allowed."""
    return _decimal(least, most, "a number of seconds")


def hours(least: float, most: float) -> Rule:
    """A span in hours; decimals are allowed."""
    return _decimal(least, most, "a number of hours")


def _decimal(least: float, most: float, what: str) -> Rule:
    def parse(text: str) -> float:
        if not re.fullmatch(r"\d{1,12}(\.\d{1,9})?", text, re.ASCII):
            raise ValueError(text)
        return _within(float(text), least, most)

    return Rule(parse, f"{what} from {least:.12g} to {most:.12g}", show="{:.12g}".format)


def _within(number: N, least: float, most: float) -> N:
    if not least <= number <= most:
        raise ValueError(number)
    return number


def ratio() -> Rule:
    """A part of the whole; empty means none at all, which 0 does not."""

    def parse(text: str) -> float:
        if not re.fullmatch(r"\d(\.\d{1,9})?", text, re.ASCII):
            raise ValueError(text)
        return _within(float(text), 0, 1)

    return Rule(parse, "a part from 0 to 1, or empty", optional=True, show="{:.9g}".format)


def figures(least: float, most: float, names: Collection[str], what: str, *, whole: bool = False) -> Rule:
    """A figure for each of some names: ``high=4 email.high=8`` becomes ``(("high", 4.0), ("email.high", 8.0))``."""
    pattern = _WHOLE if whole else _FIGURE

    def parse(text: str) -> tuple[tuple[str, float], ...]:
        found: dict[str, float] = {}
        for part in text.split():
            name, separator, number = part.partition("=")
            if (
                name not in names
                or not separator
                or name in found
                or not re.fullmatch(pattern, number, re.ASCII)
            ):
                raise ValueError(part)
            found[name] = _within(float(number), least, most)
        return tuple(found.items())

    return Rule(
        parse,
        f"{what} from {least:g} to {most:g}, as in high=4 low=1; its names are {', '.join(names)}",
        show=lambda found: " ".join(f"{name}={number:g}" for name, number in found),
    )


def rates(names: Collection[str]) -> Rule:
    """A rate for each of some names: ``email.high=50/m`` becomes ``(("email.high", 0.8333),)``; may be empty."""

    def parse(text: str) -> tuple[tuple[str, float], ...]:
        found: dict[str, float] = {}
        for part in text.split():
            name, _, rate = part.partition("=")
            if name not in names or name in found:
                raise ValueError(part)
            found[name] = parse_rate(rate)
        return tuple(found.items())

    return Rule(
        parse,
        f"rates such as email.high=50/m sms.low=3/s (units s, m, h); their names are {', '.join(names)}",
        optional=True,
        show=lambda found: " ".join(f"{name}={show_rate(rate)}" for name, rate in found),
    )


def quotas() -> Rule:
    """A quota for each tenant that is named: ``acme=100/m *=1000/m``; may be empty."""
    return Rule(
        parse_quotas,
        "quotas such as acme=100/m other=5/s *=1000/m (whole numbers; units s, m, h), each tenant once",
        optional=True,
        show=lambda found: " ".join(f"{name}={quota}" for name, quota in found),
    )


def one_of(*choices: str, optional: bool = False) -> Rule:
    """One of a closed set of words, in lower case."""

    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(text)
        return text.lower()

    return Rule(parse, f"one of {', '.join(choices)}", optional=optional)


def matching(pattern: str, allowed: str, *, optional: bool = False) -> Rule:
    """A text that `pattern` matches whole."""
    compiled = re.compile(pattern, re.ASCII)

    def parse(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(text)
        return text

    return Rule(parse, allowed, optional=optional)


def sender() -> Rule:
    """One e-mail address, with or without a display name (RFC 5322 mailbox)."""

    def parse(text: str) -> str:
        name, address = parseaddr(text)
        bare = not name and text == address
        if not (text.isprintable() and len(text) <= 320 and (bare or text.endswith(f"<{address}>"))):  # noqa: PLR2004
            raise ValueError(text)
        try:
            # Only here: it takes its time to import.
            from email.headerregistry import Address

            parsed = Address(display_name=name, addr_spec=address)
        except Exception as error:  # the header parser raises several kinds, IndexError among them
            raise ValueError(text) from error
        if not parsed.domain:
            raise ValueError(text)
        return text

    return Rule(parse, "one e-mail address, or Name <address>")


def public_address() -> Rule:
    """Where others reach this service: https with a host, maybe a port and a path; none unless said."""
    pattern = re.compile(
        r"https://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:\d{1,5})?((/[a-z0-9._~-]{1,100}){0,5})/?",
        re.ASCII | re.IGNORECASE,
    )

    def parse(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(text)
        return text.removesuffix("/")

    return Rule(parse, "https:// and a host, as in https://notify.example.com", optional=True)


def secrets(least: int) -> Rule:
    """Some secrets of at least so many characters each; none unless said."""

    def parse(text: str) -> tuple[str, ...]:
        found = tuple(text.split())
        if any(len(one) < least or not one.isascii() for one in found):
            raise ValueError
        return found

    return Rule(
        parse,
        f"one or more words of at least {least} characters",
        secret=True,
        optional=True,
        show=lambda found: "***" if found else "",
    )


def database() -> Rule:
    """The database's URL."""
    return Rule(
        urls.database_url,
        "sqlite:///FILE or postgresql+psycopg2://USER:PASSWORD@HOST:PORT/NAME",
        secret=True,
        show=urls.masked,
    )


def broker() -> Rule:
    """The broker's URL, or several nodes of one cluster."""
    return Rule(
        urls.broker_url,
        "embedded://, or amqp://USER:PASSWORD@HOST:PORT/VHOST or amqps://…, several separated by ;",
        secret=True,
        show=lambda text: ";".join(map(urls.masked, text.split(";"))),
    )


def providers(*, optional: bool = False) -> Rule:
    """A channel's providers in order of preference."""
    return Rule(
        urls.provider_urls,
        "one or more URLs such as console:// or smtp://HOST:PORT, separated by spaces, no two the same",
        secret=True,
        optional=optional,
        show=lambda found: " ".join(map(urls.masked, found)),
    )
