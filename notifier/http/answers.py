"""Answers as JSON."""

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

_encoder = msgspec.json.Encoder()


def encoded(value: Any) -> bytes:
    """A JSON value as bytes."""
    return _encoder.encode(value)


def json_answer(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer with a JSON value."""
    return raw_answer(_encoder.encode(value), status=status, headers=headers)


def raw_answer(body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer with JSON that is bytes already."""
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")
