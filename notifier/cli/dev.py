"""`notifier dev`: everything in one process - door, relay and worker - with no servers at all."""

import asyncio
import sys

import click

from notifier.cli.support import fail, settings_or_exit, traces_or_exit
from notifier.settings import Settings

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Port, 0 for any; default: NOTIFIER_HTTP_PORT.")
@click.option("--tour", is_flag=True, help="Send one notification down each lane and show their endings.")
@click.option("--once", is_flag=True, help="End after the tour; exit 1 unless all of it was sent.")
@click.option(
    "--log-level",
    default="warning",
    show_default=True,
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="The least severe events to log, on standard error.",
)
def command(port: int | None, tour: bool, once: bool, log_level: str) -> None:
    """Run everything in one process, with no servers.

    Keeps its data in the database of Settings (a SQLite file here unless told), sends through the
    providers of Settings (printing them unless told), accepts only from this machine, and makes a new
    development key at each start. Shows the sum of promise 2 after the tour and at its end; exit 1 if it
    does not hold.
    """
    settings = settings_or_exit(**({} if port is None else {"http_port": port}))
    if settings.http_host not in _LOOPBACK:
        fail("NOTIFIER_HTTP_HOST: `notifier dev` accepts only from this machine (127.0.0.1)", 2)
    from notifier.http.server import listen
    from notifier.telemetry.logs import configure_logs

    configure_logs(settings.log_format, log_level, sys.stderr)
    try:
        sock = listen(settings.http_host, settings.http_port)
    except OSError as error:
        fail(f"NOTIFIER_HTTP_PORT: can't listen on {settings.http_port}: {error.strerror}; try --port 0")
    with sock:
        passed = _run(settings, sock, tour=tour or once, once=once)
    sys.exit(0 if passed else 1)


def _run(settings: Settings, sock: object, *, tour: bool, once: bool) -> bool:
    from notifier.telemetry.prometheus_dir import keep_to_this_process

    keep_to_this_process()
    from notifier.bootstrap.dev import DevService
    from notifier.bootstrap.providers import provider_names
    from notifier.cli.books import show_books
    from notifier.cli.loops import run_loop
    from notifier.cli.tour import Tour, greet
    from notifier.domain.lanes import Channel

    service = DevService(settings, traces_or_exit(settings, "dev"))
    chat = next(iter(provider_names(settings)[Channel.CHAT]), "")
    service.start()
    passed = True

    async def main(stop: asyncio.Event) -> None:
        nonlocal passed
        async with service.serving(sock, stop) as address:  # type: ignore[arg-type]
            if tour:
                passed = await Tour(address, service.key, settings.lanes, chat).run(stop)
            if tour and not once:
                passed = await asyncio.to_thread(show_books, settings) and passed
            if not once:
                greet(address, service.key, service.test_key)
                await stop.wait()

    try:
        run_loop(main)
    finally:
        service.stop()
    return show_books(settings) and passed
