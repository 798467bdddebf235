"""One line per event that no value can forge, for our own events and every library's."""

import io
import json
import logging
import re
import threading
from datetime import UTC, datetime, timedelta

import pytest
import structlog

from notifier.telemetry import logs
from notifier.telemetry.bounded_stream import BoundedStream
from notifier.telemetry.logs import configure_logs, get_logger, lines_dropped

log = get_logger("notifier.test")
std = logging.getLogger("dramatiq.worker")
FORGED = 'ok\n{"event":"forged"}\r\n2027-01-01 [info] forged\x1b[2K\x1b[1A\x9b1A\u2028forged'


EVIL = f"ada@example.com {FORGED}"
#: As psycopg2 and SQLAlchemy tell it.
REFUSED = "violates not-null\nDETAIL:  Failing row contains (7, your code\nis 1234, x).\n[SQL: INSERT]"


def fail(error: Exception | None = None) -> None:
    raise error or ValueError(EVIL)


@pytest.fixture(autouse=True)
def restored():
    """Whatever a test sets up ends with it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {
        name: logging.getLogger(name).level
        for name in ("pika", "sqlalchemy.engine", "aiohttp.access", "dramatiq")
    }
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, one in levels.items():
        logging.getLogger(name).setLevel(one)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def set_up(log_format: str = "json", level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    configure_logs(log_format, level, stream)
    return stream


def events(stream: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_line_with_name_level_and_utc_time():
    stream = set_up()
    log.warning("attempt_deferred", provider="ses", retry_in_s=30)
    (event,) = events(stream)
    at = datetime.fromisoformat(event.pop("time"))
    assert at.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)
    assert event == {
        "event": "attempt_deferred",
        "level": "warning",
        "logger": "notifier.test",
        "provider": "ses",
        "retry_in_s": 30,
    }


def test_context_is_in_events_and_records():
    stream = set_up()
    structlog.contextvars.bind_contextvars(request_id="r1")
    log.info("accepted")
    std.info("from a library")
    assert [event["request_id"] for event in events(stream)] == ["r1", "r1"]


def test_records_of_libraries_take_the_same_way():
    stream = set_up()
    std.warning("worker %s of ada@example.com", 3)
    (event,) = events(stream)
    assert (event["event"], event["level"], event["logger"]) == (
        "worker 3 of [address]",
        "warning",
        "dramatiq.worker",
    )


def test_every_error_has_an_event_id_of_its_own():
    """Ours and every library's, at error and critical (where Dramatiq reports a consumer's end), and no other."""
    stream = set_up()
    for one in (log, std, logging.getLogger("dramatiq.worker.ConsumerThread(email)")):
        one.error("lost")
        one.critical("lost")
        try:
            fail()
        except ValueError:
            one.exception("lost")
        one.warning("kept")
        one.info("kept")
    told = events(stream)
    ids = [event["event_id"] for event in told if event["event"] == "lost"]
    assert len(ids) == 9
    assert len(set(ids)) == 9
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)
    assert not [event for event in told if event["event"] == "kept" and "event_id" in event]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_an_event_id_that_an_error_has_already_stays(log_format):
    """The id that a caller was told is the one to search for; the console shows it too."""
    stream = set_up(log_format)
    log.error("failed", event_id="0f" * 16)
    structlog.contextvars.bind_contextvars(event_id="1e" * 16)
    std.critical("failed")
    first, second = stream.getvalue().splitlines()
    assert "0f" * 16 in first
    assert "1e" * 16 in second
    assert stream.getvalue().count("event_id") == 2


def test_a_second_configuration_replaces_the_first_and_dramatiqs_handler():
    before = io.StringIO()
    logging.getLogger().handlers[:] = [logging.StreamHandler(before)]
    first = set_up()
    log.info("one")
    second = set_up()
    log.info("two")
    std.error("three")
    assert before.getvalue() == ""
    assert [event["event"] for event in events(first)] == ["one"]
    assert [event["event"] for event in events(second)] == ["two", "three"]


def test_events_below_the_level_are_not_logged():
    stream = set_up(level="warning")
    log.info("quiet")
    std.info("quiet")
    log.error("loud")
    std.error("loud")
    assert [event["event"] for event in events(stream)] == ["loud", "loud"]


@pytest.mark.parametrize(
    "name", ["sqlalchemy.engine.Engine", "urllib3.connectionpool", "aiohttp.access", "pika.channel"]
)
def test_libraries_that_tell_values_or_repeat_us_are_quiet_even_at_debug(name):
    stream = set_up(level="debug")
    logging.getLogger(name).info("INSERT … [parameters: ('secret')]")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_value_forges_a_line(log_format):
    stream = set_up(log_format)
    log.info("event", reason=FORGED, nested={"a": [FORGED], FORGED: 1})
    std.info("%s", FORGED)
    log.info(FORGED)
    lines = stream.getvalue().split("\n")
    assert len(lines) == 4
    assert not any(mark in stream.getvalue() for mark in "\r\x1b\x9b\u2028")


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_an_exception_is_told_without_secrets_and_forges_no_line(log_format):
    stream = set_up(log_format)
    try:
        fail()
    except ValueError:
        log.exception("attempt_failed")
        std.exception("record")
    assert stream.getvalue().count("Traceback") == 2
    assert "ada@" not in stream.getvalue()
    lines = stream.getvalue().splitlines()
    assert not any(line.startswith(("2027-01-01", '{"event":"forged"')) for line in lines)
    assert not any(mark in stream.getvalue() for mark in "\r\x1b\x9b\u2028")
    assert log_format == "console" or len(lines) == 2


def test_auto_is_json_but_on_a_terminal():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert set_up("auto").getvalue() == ""
    stream = set_up("auto")
    log.info("event")
    assert events(stream)[0]["event"] == "event"
    terminal = Terminal()
    configure_logs("auto", "info", terminal)
    log.info("event", provider="ses")
    assert "event" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")


def test_a_full_or_closed_stream_costs_the_line_and_nothing_else():
    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(28, "No space left on device")

    configure_logs("json", "info", Full())
    log.info("lost")
    std.info("lost")
    assert lines_dropped() == 2
    closed = set_up()
    closed.close()
    log.info("lost")
    assert lines_dropped() == 1


def test_a_line_that_the_streams_encoding_lacks_is_escaped():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    configure_logs("console", "info", stream)
    log.info("event", reason="naïve")
    stream.flush()
    assert b"na\\xefve" in raw.getvalue()


def test_a_librarys_broken_record_is_no_error():
    stream = set_up()
    std.info("%d of %d", "x")
    assert events(stream)[0]["event"] == "%d of %d"


def test_lines_that_were_dropped_are_told_as_soon_as_there_is_room(monkeypatch):
    """Promise 14: a stalled pipe costs lines, not work, and whoever reads the log later learns of it."""
    stalled, told = threading.Event(), io.StringIO()

    class Pipe(io.StringIO):
        def write(self, text: str) -> int:
            assert stalled.wait(60)
            return told.write(text)

    stream = BoundedStream(Pipe(), limit=5)
    configure_logs("json", "info", stream)
    for number in range(40):
        log.info("flooded", number=number)
    assert lines_dropped() >= 30
    stalled.set()
    assert stream.drain(10)
    monkeypatch.setattr(logs, "_TELLING", 0.0)
    log.info("quiet_again")
    log.info("quiet_still")
    assert stream.drain(10)
    found = events(told)
    (dropped,) = [one for one in found if one["event"] == "log_lines_dropped"]
    assert (dropped["level"], dropped["lines"]) == ("warning", lines_dropped())
    assert [one["event"] for one in found][-3:] == ["quiet_again", "log_lines_dropped", "quiet_still"]


def test_a_row_that_postgresql_repeats_is_not_logged():
    """The error's kind and words stay; what stood in the row goes, over several lines too."""
    stream = set_up()
    try:
        fail(RuntimeError(REFUSED))
    except RuntimeError:
        log.exception("intake_group_failed")
    (event,) = events(stream)
    assert event["exception"].endswith("violates not-null\nDETAIL: [rows]\n[SQL: INSERT]")


def test_libraries_keep_what_they_handle_to_themselves():
    """At their loudest hpack tells every header, and others whole requests; ours, and Dramatiq's, are told."""
    stream = set_up("json", "debug")
    for name in ("hpack.hpack", "google.auth.transport", "apprise", "anything.else"):
        logging.getLogger(name).debug("Adding (b':path', b'/3/device/ab12')")
    std.debug("from dramatiq")
    log.debug("lane_decision")
    assert [one["event"] for one in events(stream)] == ["from dramatiq", "lane_decision"]
