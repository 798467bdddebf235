"""Provider accounts as an operator sees them: what storage says of each, and what workers last told. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from notifier.domain.errors import FieldError, InvalidFields, NotFound
from notifier.domain.lanes import Channel
from notifier.http.times import shown
from notifier.storage.provider_states import ProviderKey, ProviderState
from notifier.storage.workers import Process

#: The names of each channel's accounts, the preferred one first.
Names = Mapping[Channel, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """What is known at one moment: every process that beats, and what was ever said of an account."""

    processes: list[Process]
    states: Mapping[ProviderKey, ProviderState]


def providers(facts: ProviderFacts, names: Names) -> list[dict[str, Any]]:
    """Every configured account, channel by channel, the preferred one first."""
    keys = (ProviderKey(channel, name) for channel in Channel for name in names.get(channel, ()))
    return [provider_document(facts, names, key) for key in keys]


def provider_document(facts: ProviderFacts, names: Names, key: ProviderKey) -> dict[str, Any]:
    """One account, over all living workers."""
    state = facts.states.get(key)
    told = list(_told(facts.processes, key))
    calls = sum(one.get("calls", 0) for one in told)
    return {
        "name": key.name,
        "channel": key.channel,
        "preference": names[key.channel].index(key.name) + 1,
        **_breaker(state),
        "disabled": state is not None and state.disabled,
        "disabled_by": state.disabled_by if state is not None and state.disabled else None,
        "disabled_at": shown(state.disabled_at)
        if state is not None and state.disabled and state.disabled_at
        else None,
        "workers": len(told),
        "calls": calls,
        "error_rate": _mean(told, "errors", calls),
        "slow_rate": _mean(told, "slow", calls),
        "p95_seconds": max((one["p95"] for one in told if one.get("calls")), default=None),
        **_permits(told),
    }


def the_account(names: Names, name: str, channel: Channel | None) -> ProviderKey:
    """Which account is meant; `NotFound` where there is none, `InvalidFields` where several channels have one."""
    found = [one for one in Channel if name in names.get(one, ()) and channel in {None, one}]
    if not found:
        raise NotFound
    if len(found) > 1:
        detail = f"several channels have a provider of this name: must be one of {', '.join(found)}"
        raise InvalidFields([FieldError("?channel", "ambiguous", detail)])
    return ProviderKey(found[0], name)


def _breaker(state: ProviderState | None) -> dict[str, Any]:
    if state is None or state.opened_at is None:
        return dict.fromkeys(("opened_at", "why", "probe_in_seconds")) | {"breaker": "closed"}
    return {
        "breaker": "half_open" if state.probed else "open",
        "opened_at": shown(state.opened_at),
        "why": state.why,
        "probe_in_seconds": round(state.probe_in, 1),
    }


def _permits(told: Iterable[Mapping[str, Any]]) -> dict[str, float | None]:
    """All processes share one limit: who saw it last lowered has seen most."""
    return {
        "limit_per_second": max((one["limit"] for one in told if "limit" in one), default=None),
        "permits_per_second": min((one["rate"] for one in told if "rate" in one), default=None),
        "held_seconds": max((one["held"] for one in told if one.get("held")), default=None),
    }


def _told(processes: Iterable[Process], key: ProviderKey) -> Iterable[Mapping[str, Any]]:
    """A beat may be another version's: what it does not tell counts as nothing."""
    for process in processes:
        found = (process.report.get("providers") or {}).get(str(key))
        if found:
            yield found


def _mean(told: Iterable[Mapping[str, Any]], name: str, calls: int) -> float | None:
    """Over workers, each counted by its calls."""
    if not calls:
        return None
    return round(float(sum(one.get(name, 0.0) * one.get("calls", 0) for one in told)) / calls, 3)
