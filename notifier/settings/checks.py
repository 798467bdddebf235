"""What must hold between settings: the order of timeouts, and what production refuses.

Pure, but for the look whether a named file is there.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from notifier.domain import simulator
from notifier.domain.lanes import Channel, Lane
from notifier.providers.urls import ProviderUrlError, missing_extra, missing_sender, parse_url
from notifier.settings.fields import Settings
from notifier.settings.names import variable
from notifier.settings.urls import is_smtp, weak_credentials


@dataclass(frozen=True, slots=True)
class Clash:
    """Settings that don't go together: the first is to blame, `allowed` says what it must be."""

    names: tuple[str, ...]
    allowed: str


def clashes(settings: Settings) -> list[Clash]:
    """Everything that is wrong between settings that are each right by themselves."""
    return [
        *_timeouts(settings),
        *_waits(settings),
        *_limits(settings),
        *_lanes(settings),
        *_unused_lanes(settings),
        *_files(settings),
        *_links(settings),
        *_providers(settings),
        *_destinations(settings),
        *_production(settings),
    ]


def _timeouts(settings: Settings) -> Iterator[Clash]:
    """Connect < call < drain < lease, each by its margin (reliability.md, "Timeouts, in one order")."""
    calls = _timeouts_in_use(settings)
    longest = max(calls, key=lambda name: calls[name])
    for name in calls:
        yield from _more(settings, name, "connect_timeout_seconds")
    yield from _sum(settings, "drain_seconds", longest, "drain_margin_seconds")
    yield from _sum(settings, "lease_seconds", longest, "lease_margin_seconds")
    yield from _more(settings, "lease_seconds", "drain_seconds")
    yield from _more(settings, "lease_margin_seconds", "send_margin_seconds")


def _timeouts_in_use(settings: Settings) -> dict[str, float]:
    """The provider timeouts that count, by field: SMTP's only where an SMTP provider is set."""
    counts = {"provider_timeout_seconds": settings.provider_timeout_seconds}
    if any(map(is_smtp, settings.email_providers)):
        counts["smtp_timeout_seconds"] = settings.smtp_timeout_seconds
    return counts


def _waits(settings: Settings) -> Iterator[Clash]:
    """Waits that are nested in one another."""
    yield from _more(settings, "beat_fresh_seconds", "beat_seconds")
    yield from _more(settings, "relay_missing_seconds", "beat_seconds")
    if settings.breaker_longest_wait_seconds < settings.breaker_wait_seconds:
        allowed = f"must be at least {_said(settings, 'breaker_wait_seconds')}"
        yield Clash(("breaker_longest_wait_seconds", "breaker_wait_seconds"), allowed)
    for priority in ("high", "medium", "low"):
        base, cap = f"retry_{priority}_base_seconds", f"retry_{priority}_cap_seconds"
        if _value(settings, cap) < _value(settings, base):
            yield Clash(
                (cap, base), f"must be at least {_said(settings, base)}, not {_value(settings, cap):g}"
            )


def _providers(settings: Settings) -> Iterator[Clash]:
    """Provider URLs that their channel takes, each call within the drain and the lease."""
    longest = min(
        settings.drain_seconds - settings.drain_margin_seconds,
        settings.lease_seconds - settings.lease_margin_seconds,
    )
    for channel, urls in settings.providers.items():
        name = f"{channel}_providers"
        for url in urls:
            try:
                parsed = parse_url(channel, url)
            except ProviderUrlError as wrong:
                yield Clash((name,), str(wrong))
                continue
            missing = missing_sender(parsed, settings.sms_from)
            if missing is not None:
                yield Clash((name, "sms_from"), missing)
            lacking = missing_extra(parsed)
            if lacking is not None:
                yield Clash((name,), lacking)
            timeout = parsed.options.get("timeout")
            if isinstance(timeout, float | int) and timeout > longest:
                allowed = (
                    f"?timeout= must be at most {longest:g} seconds, so that drain and lease outlast the call"
                )
                yield Clash((name, "drain_seconds", "lease_seconds"), allowed)


def _destinations(settings: Settings) -> Iterator[Clash]:
    """A chat is named by requests: each name leads to one place, and the simulator's to none."""
    known = set[str]()
    for url in settings.chat_providers:
        try:
            parsed = parse_url(Channel.CHAT, url)
        except ProviderUrlError:
            continue  # `_providers` says what is wrong
        name = parsed.name
        if "weight" in parsed.options:
            yield Clash(("chat_providers",), f"{name} takes no weight: no other chat stands in for it")
        if name in known:
            yield Clash(("chat_providers",), f"two chats are called {name}: give each its own ?name=")
        if name.startswith(simulator.TOKEN_PREFIX):
            allowed = f"no chat's name may begin with {simulator.TOKEN_PREFIX}: those are for test keys"
            yield Clash(("chat_providers",), allowed)
        known.add(name)


def _unused_lanes(settings: Settings) -> Iterator[Clash]:
    """A figure for a lane that is not there would be accepted and ignored."""
    unused = {lane.name for lane in Lane.all(Channel)} - {lane.name for lane in settings.lanes}
    for field in ("lane_weights", "lane_minimums", "lane_rates"):
        for name, _ in getattr(settings, field):
            if name in unused:
                missing = f"{name.partition('.')[0]}_providers"
                allowed = f"{name} is no lane unless {variable(missing)} is set"
                yield Clash((field, missing), allowed)


def _lanes(settings: Settings) -> Iterator[Clash]:
    """A minimum is at most all threads: more could never be given."""
    for name, threads in settings.lane_minimums:
        if threads > settings.worker_threads:
            allowed = f"{name}={threads:g} must be at most {_said(settings, 'worker_threads')}"
            yield Clash(("lane_minimums", "worker_threads"), allowed)


def _files(settings: Settings) -> Iterator[Clash]:
    name = "broker_ca_file"
    if settings.broker_ca_file and not os.access(settings.broker_ca_file, os.R_OK):
        yield Clash((name,), "must name a file that can be read")


def _links(settings: Settings) -> Iterator[Clash]:
    if settings.public_url and not settings.unsubscribe_secret:
        allowed = f"must be set where {variable('public_url')} is: 32 characters at least"
        yield Clash(("unsubscribe_secret", "public_url"), allowed)


def _limits(settings: Settings) -> Iterator[Clash]:
    if settings.batch_body_limit_bytes < settings.body_limit_bytes:
        allowed = (
            f"must be at least {_said(settings, 'body_limit_bytes')}, not {settings.batch_body_limit_bytes}"
        )
        yield Clash(("batch_body_limit_bytes", "body_limit_bytes"), allowed)
    if settings.http_port and _same_address(settings):
        allowed = f"must be another port than {_said(settings, 'http_port')} on the same address"
        yield Clash(("metrics_port", "http_port"), allowed)


def _same_address(settings: Settings) -> bool:
    return (settings.http_host, settings.http_port) == (settings.metrics_host, settings.metrics_port)


def _production(settings: Settings) -> Iterator[Clash]:
    """No default or sample credentials, and nothing that is for tests only (ASVS 13.2.3)."""
    if not settings.production:
        return
    if settings.crash_at:
        yield Clash(("crash_at",), "must be empty in production: it is for tests of crashes only")
    for name, found in (("database_url", (settings.database_url,)), ("broker_url", settings.broker_urls)):
        weak = {reason for url in found if (reason := weak_credentials(url))}
        if weak:
            yield Clash(
                (name,), f"must name a user with a password of its own in production; it {' and '.join(weak)}"
            )


def _more(settings: Settings, name: str, than: str) -> Iterator[Clash]:
    if _value(settings, name) <= _value(settings, than):
        allowed = f"must be more than {_said(settings, than)}, not {_value(settings, name):g}"
        yield Clash((name, than), allowed)


def _sum(settings: Settings, name: str, call: str, margin: str) -> Iterator[Clash]:
    # Tenths add up to a hair more in binary: 0.1 + 0.2 > 0.3.
    least = round(_value(settings, call) + _value(settings, margin), 9)
    if _value(settings, name) < least:
        allowed = (
            f"must be at least {variable(call)} + {variable(margin)} = {least:g} seconds, "
            f"not {_value(settings, name):g}"
        )
        yield Clash((name, call, margin), allowed)


def _value(settings: Settings, name: str) -> float:
    return float(getattr(settings, name))


def _said(settings: Settings, name: str) -> str:
    return f"{variable(name)} ({_value(settings, name):.12g})"
