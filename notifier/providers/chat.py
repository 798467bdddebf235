"""What every chat provider reads of a message and of an answer."""

from notifier.domain.notification import Outgoing
from notifier.domain.texts import CHAT_FORMATS
from notifier.providers import http_answers
from notifier.providers.http_client import Reply

#: Where services put words for people.
_WORDS = ("message", "error", "detail", "description", "error_description", "title", "msg")


def format_of(outgoing: Outgoing) -> str:
    """How the text is written (`options.chat.format`): ``plain`` or ``markdown``."""
    found = outgoing.options.get("chat", {}).get("format")
    return found if found in CHAT_FORMATS else CHAT_FORMATS[0]


def words_of(reply: Reply) -> str:
    """What the answer says for people; of one in another form only its kind and size."""
    said = http_answers.json_object(reply)
    found = [said[name] for name in _WORDS if isinstance(said.get(name), str) and said[name]]
    return " ".join(found) or http_answers.unreadable(reply)
