"""`notifier serve`: the HTTP server, in one process or in several that share a listening socket."""

import asyncio
import os
import signal
import socket
import sys
import threading
import time

import click

from notifier.cli.support import fail, settings_or_exit, traces_or_exit
from notifier.settings import Settings, SettingsError

#: A process that dies sooner than this after its start is restarted only after as long.
_SETTLED = 5.0


@click.command()
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes.")
@click.option("--host", help="Address to bind; default: NOTIFIER_HTTP_HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port, 0 for any; default: NOTIFIER_HTTP_PORT.")
def command(processes: int, host: str | None, port: int | None) -> None:
    """Run the HTTP server.

    Needs a broker and a database that are servers; `notifier dev` needs neither.
    """
    overrides: dict[str, object] = {"http_host": host, "http_port": port}
    settings = settings_or_exit(**{name: value for name, value in overrides.items() if value is not None})
    try:
        settings.require_servers("serve")
    except SettingsError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    from notifier.http.server import listen
    from notifier.telemetry.logs import BoundedStream, configure_logs
    from notifier.telemetry.prometheus_dir import keep_to_this_process

    # Callers wait for no slow reader of the log, and lines go out many at a time.
    configure_logs(settings.log_format, settings.log_level, BoundedStream(sys.stderr))
    try:
        sock = listen(settings.http_host, settings.http_port)
    except OSError as error:
        fail(f"NOTIFIER_HTTP_HOST and NOTIFIER_HTTP_PORT: can't listen there: {error.strerror}")
    if processes == 1:
        keep_to_this_process()
        _serve(settings, sock)
    else:
        _Supervisor(settings, sock, processes).run()


def _serve(settings: Settings, sock: socket.socket, number: int = 0) -> None:
    """One HTTP process, until a stop signal; `number` counts those that share the socket."""
    from notifier.bootstrap.front import make_door, make_front
    from notifier.bootstrap.metrics import make_metrics, new_tally
    from notifier.bootstrap.probing import probe_socket, probed
    from notifier.bootstrap.roads import make_broker
    from notifier.cli.loops import rest_garbage_collector, run_loop
    from notifier.http.app import build_app
    from notifier.http.server import serve_on

    tally, probes = new_tally(settings), probe_socket(settings, number)
    port = None if probes is None else probes.getsockname()[1]
    tracing = traces_or_exit(settings, "http")
    front = make_front(settings, make_broker(settings), tally, port, tracing)
    metrics = make_metrics(settings, "http", tally, storage=True)
    parts, config = make_door(settings, front)

    async def main(stop: asyncio.Event) -> None:
        app = build_app(parts, config)
        async with probed(probes, app, metrics.told):
            await serve_on(sock, app, config, stop)

    front.start()
    metrics.start()
    rest_garbage_collector()
    try:
        run_loop(main)
    finally:
        front.stop()
        if tracing is not None:
            tracing.stop()
        metrics.stop()


class _Supervisor:
    """Forks the processes before anything is connected, restarts one that dies, and passes stops on."""

    def __init__(self, settings: Settings, sock: socket.socket, processes: int) -> None:
        self._settings = settings
        self._sock = sock
        self._processes = processes
        #: When each began, and its number.
        self._children: dict[int, tuple[float, int]] = {}
        self._stopping = False

    def run(self) -> None:
        """Until a stop signal; exits with 0 if every process ended in order."""
        from notifier.telemetry.prometheus_dir import prepare_prometheus_dir, remove_prometheus_dir

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        prepare_prometheus_dir(os.getpid())
        for place in range(self._processes):
            self._fork(place)
        worst = 0
        while self._children:
            pid, status = os.waitpid(-1, 0)
            if pid not in self._children:
                continue
            started, place = self._children.pop(pid)
            if self._stopping:
                worst = max(worst, abs(os.waitstatus_to_exitcode(status)))
                continue
            self._say_died(pid, status)
            self._restart(place, time.monotonic() - started)
        remove_prometheus_dir()
        sys.exit(worst)

    def _say_died(self, pid: int, status: int) -> None:
        from notifier.telemetry.logs import get_logger

        code = os.waitstatus_to_exitcode(status)
        get_logger("notifier.serve").error("http_process_died", process=pid, code=code)

    def _restart(self, number: int, lived: float) -> None:
        if lived < _SETTLED:
            # A process that can't start must not be forked in a tight loop.
            threading.Event().wait(_SETTLED)
        if not self._stopping:
            self._fork(number)

    def _fork(self, number: int) -> None:
        pid = os.fork()
        if pid:
            self._children[pid] = time.monotonic(), number
            if self._stopping:
                # The signal came between the two lines: this one has not heard of it.
                os.kill(pid, signal.SIGTERM)
            return
        for stop in (signal.SIGTERM, signal.SIGINT):
            signal.signal(stop, signal.SIG_DFL)
        self._be_child(number)

    def _be_child(self, number: int) -> None:
        from notifier.telemetry.bounded_stream import drain_all
        from notifier.telemetry.logs import get_logger
        from notifier.telemetry.parents import end_with_parent

        log, code = get_logger("notifier.serve"), 1
        try:
            end_with_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))
            _serve(self._settings, self._sock, number)
            code = 0
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 1
        except Exception:
            # Nobody else would say why: `os._exit` leaves without a word.
            log.exception("http_process_failed")
        finally:
            drain_all()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _stop(self, number: int, _frame: object) -> None:
        self._stopping = True
        # Else the kernel would let callers in here after the last process has left, and reset them.
        self._sock.close()
        for pid in list(self._children):
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                continue
