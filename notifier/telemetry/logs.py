"""The log: one line per event, without personal data or secrets, and no line that a value could forge.

Events of structlog and records of the standard library (dramatiq, pika, aiohttp, alembic) take the same
way: context, level, time, redaction, renderer, one handler. A failed write never reaches the caller.
An error carries an `event_id` of its own, so that a person can name that very line.
"""

import logging
import re
import sys
import time
import uuid
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from json import JSONEncoder
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger

from notifier.telemetry.bounded_stream import BoundedStream
from notifier.telemetry.redaction import clean, redact

__all__ = ["BoundedStream", "configure_logs", "get_logger", "lines_dropped"]

_Event = MutableMapping[str, Any]
_Render = Callable[[dict[str, Any]], str]

#: Libraries kept at a level of their own: SQLAlchemy logs bound values below warning, urllib3 whole URLs,
#: pika tells every lost connection several times over, aiohttp's access log repeats ours.
_QUIET = {
    "sqlalchemy.engine": logging.WARNING,
    "sqlalchemy.pool": logging.WARNING,
    "urllib3": logging.WARNING,
    "aiohttp.access": logging.WARNING,
    "asyncio": logging.WARNING,
    "opentelemetry": logging.ERROR,
    "pika": logging.CRITICAL,
}
# C0 and C1 controls, DEL, and what some terminals take for an end of line.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
#: Seconds between two lines that tell of lines dropped.
_TELLING = 1.0
_ERRORS = frozenset({"error", "critical"})
_ascii = JSONEncoder(ensure_ascii=True, separators=(",", ":"), default=str)
_fast = msgspec.json.Encoder()


class _Lines(logging.Handler):
    """The one way to the stream, for both kinds of log. The handler's lock is renewed by a fork."""

    def __init__(self, stream: TextIO | BoundedStream, render: _Render) -> None:
        super().__init__()
        self._stream = stream
        self._render = render
        self.dropped = 0
        self._told, self._told_at = self.lost(), 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """A record of the standard library, as an event."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - a library's broken format string is no reason to fail
            message = str(record.msg)
        event: dict[str, Any] = {"event": message, "level": record.levelname.lower(), "logger": record.name}
        if record.exc_info and record.exc_info[0]:
            event["exc_info"] = record.exc_info
        try:
            self.put(structlog.contextvars.merge_contextvars(None, "", event))
        except Exception:  # noqa: BLE001 - as for write: no log line is worth a failure
            self.dropped += 1

    def put(self, event: _Event) -> None:
        """Render the event and write its line."""
        if event.get("level") in _ERRORS and not event.get("event_id"):
            event["event_id"] = uuid.uuid4().hex
        structlog.processors.format_exc_info(None, "", event)
        self._put(self._render(_ordered(redact(event))) + "\n")

    def _put(self, line: str) -> None:
        self.acquire()
        try:
            self._write(line)
            if self.lost() != self._told:
                self._tell_lost()
        except (OSError, ValueError):  # full, gone or closed: counted, and the work goes on
            self.dropped += 1
        finally:
            self.release()

    def put_clean(self, event: str, facts: dict[str, Any]) -> None:
        """Write an event of level info whose facts need no redaction."""
        try:
            self._put(self._render({"time": _now(), "level": "info", "event": event, **facts}) + "\n")
        except Exception:  # noqa: BLE001 - no log line is worth a failure
            self.dropped += 1

    def _tell_lost(self) -> None:
        """That lines are missing stands among those that are there: once a second, for a stalled pipe loses many."""
        now, lost = time.monotonic(), self.lost()
        if now - self._told_at < _TELLING:
            return
        self._told_at = now
        lines = lost - self._told
        event = {"event": "log_lines_dropped", "level": "warning", "logger": "notifier.logs", "lines": lines}
        self._write(self._render(_ordered(event)) + "\n")
        if self.lost() == lost:  # else this line is missing too, and what it told is told by the next
            self._told = lost

    def _write(self, line: str) -> None:
        try:
            self._stream.write(line)
        except UnicodeEncodeError:
            self._stream.write(line.encode("ascii", "backslashreplace").decode("ascii"))
        self._stream.flush()

    def lost(self) -> int:
        """Lines dropped here and by the stream below."""
        return self.dropped + (self._stream.dropped if isinstance(self._stream, BoundedStream) else 0)


#: For `log_clean`: the lines, and by which it is seen that structlog is still as it was configured here.
_direct: tuple[_Lines, list[Any], int, bool] | None = None


class _Output:
    """What structlog calls with a finished event."""

    def __init__(self, lines: _Lines, name: str = "") -> None:
        self._lines = lines
        self._name = name

    def msg(self, **event: Any) -> None:
        try:
            if self._name:
                event["logger"] = self._name
            self._lines.put(event)
        except Exception:  # noqa: BLE001 - no log line is worth a failure
            self._lines.dropped += 1

    debug = info = warning = error = critical = msg


def configure_logs(
    log_format: str = "auto", level: str = "info", stream: TextIO | BoundedStream | None = None
) -> None:
    """Send every event of at least `level` to `stream` (standard error), replacing all earlier handlers.

    `log_format` is ``json``, ``console``, or ``auto``: console on a terminal. May be called again.
    """
    target = stream if stream is not None else sys.stderr
    number = logging.getLevelNamesMapping()[level.upper()]
    terminal = target.isatty()
    people = log_format == "console" or (log_format == "auto" and terminal)
    lines = _Lines(target, _console(colors=terminal) if people else _json)
    root = logging.getLogger()
    root.handlers[:] = [lines]  # not basicConfig: what stood there (Dramatiq's) is not ours to close
    # Below that, libraries tell what they handle: hpack every header it packs, tokens and paths with them.
    root.setLevel(max(logging.INFO, number))
    logging.getLogger("dramatiq").setLevel(number)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, number))
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.StackInfoRenderer(),
    ]
    global _direct  # noqa: PLW0603 - as structlog's own configuration
    _direct = lines, processors, len(processors), number <= logging.INFO
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *names: _Output(lines, *names),
        cache_logger_on_first_use=False,  # a logger of a module outlives a second configuration
    )


def log_clean(event: str, facts: dict[str, Any]) -> bool:
    """Log an event of level info for whose facts `redaction.clean` has been asked already, or that are our own words.

    For what is said thousands of times a second: neither processors nor context nor a logger are called. False where
    something else than `configure_logs` has set them up: then it is for the caller's logger to say.
    """
    processors = structlog.get_config()["processors"]
    if _direct is None or processors is not _direct[1] or len(processors) != _direct[2]:
        return False
    if _direct[3]:
        _direct[0].put_clean(event, facts)
    return True


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger whose events say ``logger=name``; calls are ``log.info("event_name", fact=value)``."""
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger


def lines_dropped() -> int:
    """Log lines this process has dropped since `configure_logs`, because nothing took them."""
    return sum(handler.lost() for handler in logging.getLogger().handlers if isinstance(handler, _Lines))


def _ordered(event: dict[str, Any]) -> dict[str, Any]:
    """Time, level and event first, for the eye; the rest as it came."""
    first = {"time": _now(), "level": event.pop("level", "info"), "event": event.pop("event", "")}
    return {**first, **event}


def _now() -> str:
    now = time.time()
    second = int(now)
    return f"{_second(second)}.{int((now - second) * 1000):03d}Z"


@lru_cache(maxsize=2)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _json(value: Any) -> str:
    """`value` as JSON in ASCII; what redaction left holds nothing that the fast encoder can't take."""
    try:
        text = _fast.encode(value)
        if text.isascii():
            return text.decode("ascii")
    except (TypeError, ValueError, OverflowError):
        pass
    return _ascii.encode(value)


def _console(*, colors: bool) -> _Render:
    renderer = structlog.dev.ConsoleRenderer(
        colors=colors,
        timestamp_key="time",
        exception_formatter=structlog.dev.plain_traceback,
    )

    def render(event: dict[str, Any]) -> str:
        traces = [event.pop(key, None) for key in ("stack", "exception")]
        line = str(renderer(None, "", _visible(event)))
        # Each line of a trace is indented, so that no text in it passes for an event.
        indented = (
            "\n    | " + _escape_all(part) for trace in traces if trace for part in str(trace).split("\n")
        )
        return line + "".join(indented)

    return render


def _visible(event: Mapping[str, Any]) -> dict[str, Any]:
    return {_escape_all(key): _escape(value) for key, value in event.items()}


def _escape(value: Any) -> Any:
    if isinstance(value, str):
        return _escape_all(value)
    return value if value is None or isinstance(value, (bool, int, float)) else _escape_all(_json(value))


def _escape_all(text: str) -> str:
    """`text` with control and direction characters made visible."""
    return _CONTROLS.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), clean(text))
