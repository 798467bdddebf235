"""The command line, one file a command."""

from notifier.cli.main import main

__all__ = ["main"]
