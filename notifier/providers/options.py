"""The options of each provider's URL and what each may say."""

import re
from collections.abc import Callable, Mapping

from notifier.domain.rates import parse_rate
from notifier.providers.senders import Sender, parse_sender

Value = str | float | int | bool | Sender


class NotAllowed(ValueError):
    """A value that the option can't take; the text goes on after the option's name."""


NAME = re.compile(r"[a-z0-9][a-z0-9._:-]{0,62}")
_HELO = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-fIPv:.]{3,60}\]")
_DNS_NAME = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?)*"
)
_NUMBER = re.compile(r"\d{1,6}(\.\d{1,3})?")


def _name(text: str) -> str:
    if NAME.fullmatch(text) is None:
        raise NotAllowed("must be 1 to 63 of a-z 0-9 . _ : - and begin with a letter or digit")
    return text


def _sender(text: str) -> Sender:
    try:
        return parse_sender(text)
    except ValueError as wrong:
        raise NotAllowed(str(wrong)) from None


def _helo(text: str) -> str:
    if _HELO.fullmatch(text) is None:
        raise NotAllowed("must be this host's full name, or its address in brackets")
    return text


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise NotAllowed("must be the absolute path of a file of PEM certificates")
    return text


def _key_path(text: str) -> str:
    if not text.startswith("/"):
        raise NotAllowed("must be the absolute path of a file with an RSA private key in PEM")
    return text


def _dns_name(text: str) -> str:
    if _DNS_NAME.fullmatch(text) is None or len(text) > 253:  # noqa: PLR2004 - RFC 1035, 2.3.4
        raise NotAllowed("must be labels of A-Z a-z 0-9 _ - joined by dots")
    return text.lower()


def _yes_or_no(text: str) -> bool:
    if text not in {"true", "false"}:
        raise NotAllowed("must be true or false")
    return text == "true"


def _between(least: float, most: float, unit: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        if _NUMBER.fullmatch(text) is None or not least <= float(text) <= most:
            raise NotAllowed(f"must be a number of {unit} from {least:g} to {most:g}")
        return float(text)

    return read


def _count(text: str) -> int:
    if _NUMBER.fullmatch(text) is None or not text.isdigit() or not 1 <= int(text) <= 100_000:  # noqa: PLR2004
        raise NotAllowed("must be a whole number from 1 to 100000")
    return int(text)


def _rate(text: str) -> float:
    try:
        return parse_rate(text)
    except ValueError as wrong:
        raise NotAllowed(str(wrong)) from None


def _weight(text: str) -> int:
    if re.fullmatch(r"\d{1,3}", text, re.ASCII) is None or not 1 <= int(text) <= 100:  # noqa: PLR2004
        raise NotAllowed("must be a whole number from 1 to 100")
    return int(text)


#: Its part of the channel's messages; what the provider allows this account, `burst` of them at once.
_LIMIT: Mapping[str, Callable[[str], Value]] = {"weight": _weight, "rate": _rate, "burst": _count}
_SMTP: Mapping[str, Callable[[str], Value]] = {
    "name": _name,
    "from": _sender,
    "timeout": _between(1, 300, "seconds"),
    "helo": _helo,
    "smtputf8": _yes_or_no,
    "connection_messages": _count,
    "connection_seconds": _between(1, 86_400, "seconds"),
    "idle_seconds": _between(1, 3_600, "seconds"),
    "dkim_selector": _dns_name,
    "dkim_domain": _dns_name,
    "dkim_key_file": _key_path,
    **_LIMIT,
}
_TLS: Mapping[str, Callable[[str], Value]] = {"ca_file": _path, "dangerous_no_verify": _yes_or_no}

#: Scheme → option → what reads its value (raises `NotAllowed`).
OPTIONS: Mapping[str, Mapping[str, Callable[[str], Value]]] = {
    "console": {"name": _name, **_LIMIT},
    "smtp": {**_SMTP, "dangerous_plain_auth": _yes_or_no},
    "smtp+starttls": {**_SMTP, **_TLS},
    "smtps": {**_SMTP, **_TLS},
}
