"""Magic recipients: which ending one forces, and that only test keys send to them."""

from notifier.domain import simulator
from notifier.domain.errors import InvalidInput
from notifier.domain.lifecycle import Mode
from notifier.domain.recipients import ChatDestination, EmailAddress, PhoneNumber, Recipient
from notifier.domain.simulator import Ending


def ending_of(recipient: Recipient) -> Ending | None:
    """The ending that `recipient` forces, None for any other."""
    match recipient:
        case EmailAddress(address):
            local, _, domain = address.rpartition("@")
            if domain != simulator.DOMAIN:
                return None
            return simulator.ENDING_OF_LOCAL.get(local.partition("+")[0].lower())
        case PhoneNumber(number):
            return simulator.ENDING_OF_PHONE.get(number)
        case ChatDestination(name):
            return simulator.ENDING_OF_TOKEN.get(name)
        case _:
            return simulator.ENDING_OF_TOKEN.get(recipient.token)


def check_mode(recipient: Recipient, mode: Mode) -> None:
    """Refuse a magic recipient to live keys, and to test keys one of the simulator's that forces nothing.

    Raises `InvalidInput` (``invalid_recipient``) with the pointer of the recipient's field.
    """
    field = _magic_field(recipient)
    if field is None:
        return
    if mode is not Mode.TEST:
        detail = f"is a recipient of the simulator ({simulator.DOMAIN}): only a test key may send to it"
        raise InvalidInput("invalid_recipient", detail, field)
    if ending_of(recipient) is None:
        raise InvalidInput("invalid_recipient", f"must be one of {_known(recipient)}", field)


def _magic_field(recipient: Recipient) -> str | None:
    """The field in which `recipient` names the simulator, rightly spelled or not."""
    match recipient:
        case EmailAddress(address):
            domain = address.rpartition("@")[2]
            return "/email" if f".{domain}".endswith(f".{simulator.DOMAIN}") else None
        case PhoneNumber(number):
            return "/phone" if number in simulator.SIMULATOR_PHONES else None
        case ChatDestination(name):
            return "/chat" if name.startswith(simulator.TOKEN_PREFIX) else None
        case _:
            return "/push_token" if recipient.token.startswith(simulator.TOKEN_PREFIX) else None


def _known(recipient: Recipient) -> str:
    if isinstance(recipient, EmailAddress):
        return f"{', '.join(f'{local}@' for local in simulator.ENDING_OF_LOCAL)} {simulator.DOMAIN}"
    return ", ".join(simulator.ENDING_OF_TOKEN)
