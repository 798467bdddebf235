"""GOAWAY, kept from `h2`: it takes that frame for the end, though answers to earlier requests may follow (RFC 9113, 6.8)."""

from dataclasses import dataclass

_HEADER, _GOAWAY = 9, 7
#: A frame that is longer than we allow is for `h2` to refuse.
_LONGEST = 16_384


@dataclass(frozen=True, slots=True)
class GoAway:
    """What is not above `last_stream_id` may have been looked at; everything above has not."""

    last_stream_id: int
    error_code: int
    debug: bytes


class FrameSplitter:
    """Takes bytes as they come, gives them back for `h2` without the GOAWAY frames in them."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self.goaway: GoAway | None = None

    def feed(self, data: bytes) -> bytes:
        """Whole frames only; a GOAWAY is kept in `goaway`, of several the last."""
        self._waiting += data
        frames = bytearray()
        while len(self._waiting) >= _HEADER:
            length = int.from_bytes(self._waiting[:3], "big")
            if length > _LONGEST:
                frames += self._waiting
                self._waiting.clear()
                break
            if len(self._waiting) < _HEADER + length:
                break
            frame = bytes(self._waiting[: _HEADER + length])
            del self._waiting[: _HEADER + length]
            if frame[3] == _GOAWAY and length >= 8:  # noqa: PLR2004 - RFC 9113, 6.8
                last = int.from_bytes(frame[9:13], "big") & 0x7FFFFFFF
                self.goaway = GoAway(last, int.from_bytes(frame[13:17], "big"), frame[17:])
            else:
                frames += frame
        return bytes(frames)
