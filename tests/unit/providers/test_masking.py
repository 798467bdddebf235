"""What is kept of a provider's answer."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.providers.masking import MAX_ANSWER, masked


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("5.1.1 <ada@example.com>: no such user", "5.1.1 <<address>>: no such user"),
        ('"ada l"@example.com no', '"ada <address> no'),
        (
            "rcpt=ada@example.com, see https://x.example/?e=ada%40example.com",
            "<address>, see https:<address>",
        ),
        ("jørn@bücher.example", "<address>"),
        ("call +44 7700 900000 now", "call <number> now"),
        ("key nk_live_abcd_efgh and Bearer abc.def", "key <secret> and <secret>"),
        ("two\r\nlines\x1b[0m", "two lines [0m"),
    ],
)
def test_private_things_are_masked(text, kept):
    """Addresses, numbers and tokens go; the rest stays readable."""
    assert masked(text) == kept


def test_known_addresses_and_secrets_go_in_every_spelling():
    """The local part alone is personal too; credentials go whole and in base64."""
    found = masked(
        "user Ada.L unknown, AUTH c2VjcmV0", addresses=["ada.l@x.example", "ada.l"], secrets=["c2VjcmV0", ""]
    )
    assert found == "user <address> unknown, AUTH <secret>"


@given(st.text(max_size=300), st.integers(0, 5000))
def test_an_address_never_survives_at_any_place(around, shift):
    """Not even where the text is cut."""
    text = "x " * shift + around + " ada@example.com " + around
    found = masked(text)
    assert len(found) <= MAX_ANSWER
    assert "ada@example.com" not in found


def test_half_an_address_does_not_slide_in():
    """Only the beginning is looked at; where it ends within an address, that half goes too."""
    long = "x" * 380 + "@long.example "
    text = long * 10 + "y" * (3_990 - 10 * len(long)) + " ada.lovelace@example.com"
    assert "ada" not in masked(text)


@pytest.mark.parametrize(
    "text", ["a" * 1_000_000, "a@" * 500_000, '"' * 1_000_000, "+1" * 500_000, "%40" * 300_000]
)
def test_the_time_is_linear(text):
    """A hostile answer costs no time."""
    started = time.perf_counter()
    masked(text)
    assert time.perf_counter() - started < 5
