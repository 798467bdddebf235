"""FCM's errors as they come: ``{"error": {"status", "message", "details": [...]}}`` (google.rpc.Status)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from notifier.providers.http_answers import code_of, json_object
from notifier.providers.http_client import Reply

_NO_TOKEN = "registration token"  # noqa: S105 - FCM's words for what it can't read


@dataclass(frozen=True, slots=True)
class FcmError:
    """`code` is FCM's own (`errorCode`), else google.rpc's, else "". `names_token`: it is the token that is wrong."""

    code: str = ""
    message: str = ""
    names_token: bool = False
    of_one_device: bool = False


def read_error(reply: Reply) -> FcmError:
    """The error in `reply`; an empty one where it is in another form."""
    error = json_object(reply).get("error")
    if not isinstance(error, dict):
        return FcmError()
    details = [one for one in _list(error.get("details")) if isinstance(one, dict)]
    own = [code for one in details if (code := code_of(one.get("errorCode")))]
    code = own[0] if own else code_of(error.get("status")) or ""
    message = error.get("message") if isinstance(error.get("message"), str) else ""
    text = str(message)
    named = any(one.get("field") == "message.token" for one in _violations(details, "fieldViolations"))
    subjects = " ".join(str(one.get("subject", "")) for one in _violations(details, "violations")).lower()
    return FcmError(
        code=code,
        message=text,
        names_token=code == "INVALID_ARGUMENT" and (named or _NO_TOKEN in text.lower()),
        of_one_device="device" in subjects or "topic" in subjects,
    )


def _violations(details: list[dict[str, Any]], name: str) -> Iterator[dict[str, Any]]:
    for one in details:
        yield from (found for found in _list(one.get(name)) if isinstance(found, dict))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
