"""What follows from the settings, for whoever need not know from which of them."""

from collections.abc import Mapping

from notifier.domain.lanes import Channel, Lane, channels_with
from notifier.settings.names import variable
from notifier.settings.urls import leads_away
from notifier.settings.values import SettingsError

#: Commands that are several processes: a broker that lives in one of them can't serve.
_NEED_SERVERS = frozenset({"serve", "work", "dramatiq"})


class Conclusions:
    """The part of `Settings` that is not set but concluded."""

    __slots__ = ()

    broker_url: str
    database_url: str

    @property
    def embedded(self) -> bool:
        """Whether the broker lives in this process."""
        return self.broker_url == "embedded://"

    @property
    def broker_urls(self) -> tuple[str, ...]:
        """The URLs of the broker's nodes."""
        return tuple(self.broker_url.split(";"))

    @property
    def production(self) -> bool:
        """Whether this is the real thing: the broker or the database is on another machine."""
        return any(map(leads_away, (self.database_url, *self.broker_urls)))

    @property
    def providers(self) -> Mapping[Channel, tuple[str, ...]]:
        """Every channel's provider URLs; none for a channel that is not used."""
        return {channel: getattr(self, f"{channel}_providers") for channel in Channel}

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels in use: chat only where it has a provider."""
        return channels_with(self.providers)

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Every lane there is with these settings."""
        return Lane.all(self.channels)

    def require_servers(self, command: str) -> None:
        """Raise `SettingsError` if `command` is several processes and the broker lives in only one."""
        if self.embedded and command in _NEED_SERVERS:
            allowed = f"must be amqp://… or amqps://… for `{command}`: embedded:// lives in one process (`notifier dev`)"
            raise SettingsError([(variable("broker_url"), allowed)])
