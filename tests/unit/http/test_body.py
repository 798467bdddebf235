"""Unpacking never takes more memory than a body may have."""

import tracemalloc
import zlib

import pytest

from notifier.http.body import _unpacked
from notifier.http.problems import Problem


def test_a_bomb_is_refused_before_it_unfolds():
    """50 KB that would become 50 MB: refused after one limit's worth."""
    bomb = zlib.compress(b" " * 50_000_000)
    limit = 256 * 1024
    tracemalloc.start()
    try:
        with pytest.raises(Problem) as refused:
            _unpacked(bomb, zlib.MAX_WBITS, limit)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refused.value.code == "body_too_large"
    assert peak < 4 * limit


def test_a_body_of_exactly_the_limit_is_taken():
    """On both sides of the bound."""
    assert _unpacked(zlib.compress(b"x" * 1000), zlib.MAX_WBITS, 1000) == b"x" * 1000
    with pytest.raises(Problem):
        _unpacked(zlib.compress(b"x" * 1001), zlib.MAX_WBITS, 1000)
