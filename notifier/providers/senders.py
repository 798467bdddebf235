"""Who an e-mail is from: `news@acme.example` or `Acme News <news@acme.example>`."""

from dataclasses import dataclass

from notifier.domain.email_addresses import check_name, normal_address
from notifier.domain.errors import InvalidInput
from notifier.domain.texts import has_control

_LOCALHOST = "localhost"
_STAND_IN = "localhost.example"
_MAX_LENGTH = 600


@dataclass(frozen=True, slots=True)
class Sender:
    """One ASCII addr-spec (its domain as A-labels) and the name to show beside it."""

    address: str
    name: str | None = None

    @property
    def domain(self) -> str:
        """What stands after the @."""
        return self.address.rpartition("@")[2]


def parse_sender(text: str) -> Sender:
    """The sender in `text`; raises `ValueError` saying what is allowed, with none of the text.

    Besides what a recipient may be, ``@localhost`` will do: it is the default of a new installation.
    """
    if len(text) > _MAX_LENGTH or has_control(text):
        raise ValueError("must be one address such as news@example.com or Acme News <news@example.com>")
    name, bracket, rest = text.strip().rpartition("<")
    address = rest.removesuffix(">") if bracket else rest
    if bracket and not rest.endswith(">"):
        raise ValueError("must be one address such as news@example.com or Acme News <news@example.com>")
    try:
        shown = check_name(_unquoted(name.strip())) if name.strip() else None
        return Sender(_address(address), shown)
    except InvalidInput as wrong:
        raise ValueError(wrong.detail) from None


def _address(text: str) -> str:
    local, _, domain = text.rpartition("@")
    if domain.lower() != _LOCALHOST:
        return normal_address(text, allow_utf8_local=False, allow_special=True)
    checked = normal_address(f"{local}@{_STAND_IN}", allow_utf8_local=False, allow_special=True)
    return checked.removesuffix(_STAND_IN) + _LOCALHOST


def _unquoted(name: str) -> str:
    if len(name) > 1 and name[0] == name[-1] == '"':
        return name[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return name
