"""Cursors: what was given comes back, and nothing else is taken."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some

from notifier.http.pages import make_cursor, read_cursor
from notifier.http.problems import Problem

ID = UUID(int=0x0192F0E0_0000_7000_8000_000000000001)


@given(some.uuids(), some.text(max_size=20), some.text(max_size=50))
def test_a_cursor_leads_back_to_its_id(last, tenant, scope):
    """For any tenant and filter, and it is safe in a URL."""
    text = make_cursor(tenant, scope, last)
    assert text.replace("-", "").replace("_", "").isalnum()
    assert read_cursor(tenant, scope, text) == last


def test_no_cursor_means_the_first_page_and_no_next_page():
    """None both ways."""
    assert read_cursor("a", "b", None) is None
    assert make_cursor("a", "b", None) is None


@pytest.mark.parametrize(("tenant", "scope"), [("other", "s"), ("t", "other"), ("ts", ""), ("", "ts")])
def test_a_cursor_of_another_tenant_or_filter_is_refused(tenant, scope):
    """Also when the two joined would read the same."""
    text = make_cursor("t", "s", ID)
    with pytest.raises(Problem):
        read_cursor(tenant, scope, text)


@given(some.integers(0, 27), some.integers(1, 255))
def test_a_changed_cursor_is_refused(at, change):
    """Any bit."""
    import base64

    raw = bytearray(base64.urlsafe_b64decode(make_cursor("t", "s", ID) + "=="))
    raw[at] ^= change
    with pytest.raises(Problem):
        read_cursor("t", "s", base64.urlsafe_b64encode(raw).decode().rstrip("="))


@given(some.text(max_size=60))
def test_whatever_else_is_given_is_refused(text):
    """Never another error."""
    with pytest.raises(Problem):
        read_cursor("t", "s", text)
