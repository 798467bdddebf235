"""`notifier work`: a worker process (or several) on the lanes' queues."""

import os
import sys

import click

from notifier.cli.support import settings_or_exit
from notifier.settings import SettingsError

#: Room above the drain for acks and goodbyes, in seconds.
_AFTER_DRAIN = 5


@click.command()
@click.option(
    "--processes", "-p", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes."
)
@click.option("--threads", "-t", type=click.IntRange(1, 1024), help="Threads of each; default: Settings.")
def command(processes: int, threads: int | None) -> None:
    """Run a worker (wraps `dramatiq notifier.worker`).

    One process unless told: several units of one process each recover better than one of several,
    because the launcher ends all of its workers when one dies.
    """
    settings = settings_or_exit()
    try:
        settings.require_servers("work")
    except SettingsError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    arguments = [
        *("notifier.worker", "--processes", str(processes)),
        *("--threads", str(threads or settings.worker_threads)),
        *("--worker-shutdown-timeout", str(int((settings.drain_seconds + _AFTER_DRAIN) * 1000))),
    ]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "dramatiq", *arguments])  # noqa: S606 - our own interpreter
