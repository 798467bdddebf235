"""What reads the value of an option in a provider's URL: one function for each kind of value."""

import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from notifier.domain import simulator
from notifier.domain.rates import parse_rate
from notifier.providers.senders import Sender, parse_sender
from notifier.providers.webhook_secrets import secrets_in


@dataclass(frozen=True, slots=True)
class Hidden:
    """A value that is a secret: it never shows in a repr."""

    text: str = field(repr=False)


Value = str | float | int | bool | Sender | Hidden


class NotAllowed(ValueError):
    """A value that the option can't take; the text goes on after the option's name."""


NAME = re.compile(r"[a-z0-9][a-z0-9._:-]{0,62}")
_HELO = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-fIPv:.]{3,60}\]")
_DNS_NAME = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?)*"
)
_MAX_DNS_NAME = 253  # RFC 1035, 2.3.4
_SMS_SENDER = re.compile(r"\+[1-9][0-9]{6,14}|[0-9]{3,15}|(?=.*[A-Za-z])[A-Za-z0-9 +_&-]{1,11}", re.ASCII)
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}", re.ASCII)
_ACCOUNT = re.compile(r"AC[0-9a-fA-F]{32}", re.ASCII)
_PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", re.ASCII)
_PUSH_HOST = re.compile(r"(\*\.)?([a-z0-9-]{1,63}\.)+[a-z0-9-]{1,63}", re.ASCII | re.IGNORECASE)
_CONTACT = re.compile(r"mailto:[^\s@<>]{1,64}@[A-Za-z0-9.-]{1,255}|https://[!-~]{1,500}", re.ASCII)
_APPLE_ID = re.compile(r"[A-Z0-9]{10}", re.ASCII)
_TOPIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{2,253}", re.ASCII)
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]{2,12}){1,3}-[0-9]{1,2}", re.ASCII)
_CONFIGURATION_SET = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_TOPIC_ARN = re.compile(
    r"arn:aws(-[a-z]+)*:sns:[a-z]{2,4}(-[a-z]{2,12}){1,3}-[0-9]{1,2}:[0-9]{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?",
    re.ASCII,
)
_SESSION_TOKEN = re.compile(r"[A-Za-z0-9+/=_-]{16,4096}", re.ASCII)
#: A public key on P-256 in DER (RFC 5480), as far as it is the same for all; a point of 64 bytes follows.
_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
_P256_POINT = 64
_SIGNATURE_METHODS = ("md5hash", "md5", "sha1", "sha256", "sha512")
_MAX_URL = 2_000
_MAX_SECRET = 500
_NUMBER = re.compile(r"\d{1,6}(\.\d{1,3})?")


def account_name(text: str) -> str:
    if NAME.fullmatch(text) is None:
        raise NotAllowed("must be 1 to 63 of a-z 0-9 . _ : - and begin with a letter or digit")
    if text == simulator.NAME:
        raise NotAllowed("must not be simulator, which is the account of test keys")
    return text


def email_sender(text: str) -> Sender:
    try:
        return parse_sender(text)
    except ValueError as wrong:
        raise NotAllowed(str(wrong)) from None


def helo(text: str) -> str:
    if _HELO.fullmatch(text) is None:
        raise NotAllowed("must be this host's full name, or its address in brackets")
    return text


def file_path(text: str) -> str:
    if not text.startswith("/"):
        raise NotAllowed("must be the absolute path of a file of PEM certificates")
    return text


def key_path(text: str) -> str:
    if not text.startswith("/"):
        raise NotAllowed("must be the absolute path of a file with an RSA private key in PEM")
    return text


def dns_name(text: str) -> str:
    if _DNS_NAME.fullmatch(text) is None or len(text) > _MAX_DNS_NAME:
        raise NotAllowed("must be labels of A-Z a-z 0-9 _ - joined by dots")
    return text.lower()


def key_file(text: str) -> str:
    if not text.startswith("/"):
        raise NotAllowed("must be the absolute path of a file")
    return text


def apple_id(text: str) -> str:
    if _APPLE_ID.fullmatch(text) is None:
        raise NotAllowed("must be the 10 letters and digits that Apple shows for it")
    return text


def apns_topic(text: str) -> str:
    if _TOPIC.fullmatch(text) is None:
        raise NotAllowed("must be the application's bundle ID, as in com.example.app")
    return text


def apns_environment(text: str) -> str:
    if text not in {"production", "sandbox"}:
        raise NotAllowed("must be production or sandbox")
    return text


def push_hosts(text: str) -> str:
    if text != "*" and not all(_PUSH_HOST.fullmatch(one) for one in text.split(",")):
        raise NotAllowed("must be host names joined by commas, *.example.com for all below it, or * for any")
    return text.lower()


def contact(text: str) -> str:
    if _CONTACT.fullmatch(text) is None:
        raise NotAllowed("must be mailto: with an address, or an https:// URL")
    return text


def sendgrid_region(text: str) -> str:
    if text not in {"global", "eu"}:
        raise NotAllowed("must be global or eu")
    return text


def verification_key(text: str) -> str:
    try:
        found = b64decode(text, validate=True)
    except ValueError:
        found = b""
    if not (found.startswith(_P256) and len(found) == len(_P256) + _P256_POINT):
        raise NotAllowed("must be the verification key that SendGrid shows, in base64")
    return text


def signature_method(text: str) -> str:
    if text not in _SIGNATURE_METHODS:
        raise NotAllowed(f"must be one of {', '.join(_SIGNATURE_METHODS)}")
    return text


def google_project(text: str) -> str:
    if _PROJECT.fullmatch(text) is None:
        raise NotAllowed("must be a project's ID: 6 to 30 of a-z 0-9 - that begin with a letter")
    return text


def apprise_url(text: str) -> Hidden:
    if (
        not text.isprintable()
        or " " in text
        or re.match(r"[a-z][a-z0-9+.-]{1,30}://", text, re.IGNORECASE) is None
    ):
        raise NotAllowed("must be one URL as Apprise takes it, percent-encoded as a whole")
    return Hidden(text)


def webhook_secrets(text: str) -> Hidden:
    try:
        secrets_in(text)
    except ValueError as wrong:
        raise NotAllowed(str(wrong)) from None
    return Hidden(text)


def hidden_query(text: str) -> Hidden:
    if not text.isascii() or len(text) > _MAX_URL or any(character in " #" for character in text):
        raise NotAllowed("must be a query as it stands behind the ?, percent-encoded as a whole")
    return Hidden(text)


def yes_or_no(text: str) -> bool:
    if text not in {"true", "false"}:
        raise NotAllowed("must be true or false")
    return text == "true"


def between(least: float, most: float, unit: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        if _NUMBER.fullmatch(text) is None or not least <= float(text) <= most:
            raise NotAllowed(f"must be a number of {unit} from {least:g} to {most:g}")
        return float(text)

    return read


def count(text: str) -> int:
    if _NUMBER.fullmatch(text) is None or not text.isdigit() or not 1 <= int(text) <= 100_000:  # noqa: PLR2004
        raise NotAllowed("must be a whole number from 1 to 100000")
    return int(text)


def rate(text: str) -> float:
    try:
        return parse_rate(text)
    except ValueError as wrong:
        raise NotAllowed(str(wrong)) from None


def weight(text: str) -> int:
    if re.fullmatch(r"\d{1,3}", text, re.ASCII) is None or not 1 <= int(text) <= 100:  # noqa: PLR2004
        raise NotAllowed("must be a whole number from 1 to 100")
    return int(text)


def sms_sender(text: str) -> str:
    if _SMS_SENDER.fullmatch(text) is None or text != text.strip():
        raise NotAllowed("must be a number in E.164, a short code, or a name of 1 to 11 letters and digits")
    return text


def messaging_service(text: str) -> str:
    if _SERVICE.fullmatch(text) is None:
        raise NotAllowed("must be the SID of a messaging service: MG and 32 hexadecimal digits")
    return text


def twilio_account(text: str) -> str:
    if _ACCOUNT.fullmatch(text) is None:
        raise NotAllowed("must be an account SID: AC and 32 hexadecimal digits")
    return text


def secret(text: str) -> str:
    if not 1 <= len(text) <= _MAX_SECRET:
        raise NotAllowed(f"must be 1 to {_MAX_SECRET} characters, percent-encoded")
    return text


def web_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in {"https", "http"} and bool(parts.hostname) and not parts.fragment
    except ValueError:
        good = False
    if not good or len(text) > _MAX_URL or any(character.isspace() for character in text):
        raise NotAllowed("must be a whole URL that begins with https:// or http://, percent-encoded")
    return text


def is_aws_region(text: str) -> bool:
    """Whether `text` has the form of a region's name, as in eu-west-1."""
    return _REGION.fullmatch(text) is not None


def aws_region(text: str) -> str:
    if not is_aws_region(text):
        raise NotAllowed("must be a region, as in eu-west-1")
    return text


def configuration_set(text: str) -> str:
    if _CONFIGURATION_SET.fullmatch(text) is None:
        raise NotAllowed("must be a configuration set's name: 1 to 64 of A-Z a-z 0-9 _ -")
    return text


def session_token(text: str) -> str:
    if _SESSION_TOKEN.fullmatch(text) is None:
        raise NotAllowed("must be a session token, percent-encoded")
    return text


def sns_topics(text: str) -> str:
    if not all(_TOPIC_ARN.fullmatch(one) for one in text.split(",")):
        raise NotAllowed(
            "must be the ARN of an SNS topic (arn:aws:sns:REGION:ACCOUNT:NAME), several joined by commas"
        )
    return text
