"""The options that a provider's URL may have, what each may say, and what the documentation says of it.

`schemes` puts them together for each scheme; the tables of options in `docs/providers/` are made from here.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from notifier.domain.rates import parse_rate
from notifier.providers.senders import Sender, parse_sender

Value = str | float | int | bool | Sender


class NotAllowed(ValueError):
    """A value that the option can't take; the text goes on after the option's name."""


@dataclass(frozen=True, slots=True)
class Option:
    """What reads an option's value (raises `NotAllowed`), and its row in the documentation."""

    read: Callable[[str], Value]
    about: str
    default: str = "none"


NAME = re.compile(r"[a-z0-9][a-z0-9._:-]{0,62}")
_HELO = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-fIPv:.]{3,60}\]")
_SMS_SENDER = re.compile(r"\+[1-9][0-9]{6,14}|[0-9]{3,15}|(?=.*[A-Za-z])[A-Za-z0-9 +_&-]{1,11}", re.ASCII)
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}", re.ASCII)
_ACCOUNT = re.compile(r"AC[0-9a-fA-F]{32}", re.ASCII)
_MAX_URL = 2_000
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


def _sms_sender(text: str) -> str:
    if _SMS_SENDER.fullmatch(text) is None or text != text.strip():
        raise NotAllowed("must be a number in E.164, a short code, or a name of 1 to 11 letters and digits")
    return text


def _messaging_service(text: str) -> str:
    if _SERVICE.fullmatch(text) is None:
        raise NotAllowed("must be the SID of a messaging service: MG and 32 hexadecimal digits")
    return text


def _twilio_account(text: str) -> str:
    if _ACCOUNT.fullmatch(text) is None:
        raise NotAllowed("must be an account SID: AC and 32 hexadecimal digits")
    return text


def _https_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in {"https", "http"} and bool(parts.hostname) and not parts.fragment
    except ValueError:
        good = False
    if not good or len(text) > _MAX_URL or any(character.isspace() for character in text):
        raise NotAllowed("must be a whole URL that begins with https:// or http://, percent-encoded")
    return text


#: Its part of the channel's messages; what the provider allows this account, `burst` of them at once.
LIMIT: Mapping[str, Option] = {
    "weight": Option(
        _weight, "its part of the channel's messages beside other accounts, 1 to 100", "by order"
    ),
    "rate": Option(_rate, "what the account may send over all processes: `14/s`, `600/m`, `1000/h`"),
    "burst": Option(_count, "how many at once; needs `rate`", "0.2 s worth, at least 1"),
}
NAMED: Mapping[str, Option] = {
    "name": Option(
        _name,
        "the account's name in rows, logs and metrics; a second one of the same name gets `-2`",
        "its kind",
    )
}
SMTP: Mapping[str, Option] = {
    **NAMED,
    "from": Option(
        _sender, "sender of this account, with or without a display name", "`NOTIFIER_EMAIL_FROM`"
    ),
    "timeout": Option(
        _between(1, 300, "seconds"),
        "bound of the whole call, 1 to 300 seconds",
        "`NOTIFIER_SMTP_TIMEOUT_SECONDS`",
    ),
    "helo": Option(_helo, "what EHLO says", "this host's full name, else its address"),
    "smtputf8": Option(
        _yes_or_no,
        "say `true` if the server offers SMTPUTF8: addresses not ASCII before the @ are then taken",
        "`false`",
    ),
    "connection_messages": Option(_count, "messages after which a connection is left for a fresh one", "100"),
    "connection_seconds": Option(
        _between(1, 86_400, "seconds"), "seconds after which a connection is left for a fresh one", "300"
    ),
    "idle_seconds": Option(
        _between(1, 3_600, "seconds"), "seconds without a message after which a connection is left", "30"
    ),
    **LIMIT,
}
TLS: Mapping[str, Option] = {
    "ca_file": Option(_path, "PEM file of the authorities to trust instead", "the system's authorities"),
    "dangerous_no_verify": Option(_yes_or_no, "take any certificate", "`false`"),
}
PLAIN_AUTH: Mapping[str, Option] = {
    "dangerous_plain_auth": Option(_yes_or_no, "send the password unencrypted", "`false`")
}
#: Of every provider that is spoken to over HTTP.
HTTP: Mapping[str, Option] = {
    **NAMED,
    "timeout": Option(
        _between(1, 300, "seconds"),
        "bound of the whole call, 1 to 300 seconds",
        "`NOTIFIER_PROVIDER_TIMEOUT_SECONDS`",
    ),
    **LIMIT,
    "idle_seconds": Option(
        _between(1, 3_600, "seconds"), "seconds without a message after which a kept connection is left", "20"
    ),
    "ca_file": TLS["ca_file"],
    "dangerous_plain": Option(_yes_or_no, "HTTP without TLS; only to this host itself, for tests", "`false`"),
}
SMS_FROM = Option(
    _sms_sender,
    "sender: a number in E.164, a short code or a name of up to 11 characters",
    "`NOTIFIER_SMS_FROM`",
)
MESSAGING_SERVICE = Option(
    _messaging_service, "SID of a messaging service (`MG…`) that chooses the sender; not together with `from`"
)
RECEIPTS_URL = Option(_https_url, "where the provider is to report what became of each message")
TWILIO_ACCOUNT = Option(
    _twilio_account,
    "SID of the account (`AC…`) where user and password are an API key (`SK…`) and its secret",
    "the user",
)
