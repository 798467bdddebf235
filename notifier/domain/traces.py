"""The W3C trace context (https://www.w3.org/TR/trace-context/) that a request brings and its notification keeps."""

import re

#: 3.2: version, trace id, parent id, flags; a later version may have more.
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)


def parse_traceparent(text: str) -> str | None:
    """The traceparent in `text` as version 00, or None if it is none that is valid."""
    found = _TRACEPARENT.fullmatch(text)
    if found is None:
        return None
    version, trace, parent, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not int(trace, 16) or not int(parent, 16):
        return None
    return f"00-{trace}-{parent}-{flags}"


def trace_id(traceparent: str | None) -> str | None:
    """The trace's id, by which a log line is found beside its spans."""
    return None if traceparent is None else traceparent[3:35]
