"""The settings: `load_settings` reads the environment and `.env` once into a frozen, checked `Settings`."""

from notifier.settings.fields import Settings
from notifier.settings.reading import load_settings, open_to_others
from notifier.settings.values import SettingsError

__all__ = ["Settings", "SettingsError", "load_settings", "open_to_others"]
