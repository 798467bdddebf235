"""The account for one attempt: a test key's message goes to the simulator, and nothing else ever does.

The one place where an account is chosen for a call. A retry, a replay and a resend come through here with the mode
that their row was accepted with, so none of them can leave it.
"""

from collections.abc import Mapping
from typing import Any

from notifier.domain.lifecycle import Mode
from notifier.domain.recipients import Platform
from notifier.providers.base import Account


def destination_of(stored: Mapping[str, Any]) -> str | None:
    """The account that a row's recipient names; None where it is no chat."""
    found = stored.get("chat")
    return found if isinstance(found, str) else None


def serving(
    accounts: Mapping[str, Account], platform: Platform | None, destination: str | None = None
) -> Mapping[str, Account]:
    """Those of a channel's accounts that can send to the recipient's platform; all where it has none.

    A destination is an account: that one, or none if it is gone. No other ever stands in for it.
    """
    if destination is not None:
        return {name: one for name, one in accounts.items() if name == destination}
    if platform is None:
        return accounts
    return {name: one for name, one in accounts.items() if one.platforms is None or platform in one.platforms}


def account_for(
    mode: Mode,
    live: Mapping[str, Account],
    simulator: Account | None,
    *,
    wanted: str | None = None,
    granted: str | None = None,
) -> Account | None:
    """Of a channel's accounts: the one the request asked for, else the gate's, else the first; None if it is gone.

    In test mode the simulator stands in for whichever it would have been.
    """
    if mode is not Mode.LIVE:
        return simulator
    if wanted is not None:
        return live.get(wanted)
    if granted is not None and granted in live:
        return live[granted]
    return next(iter(live.values()), None)
