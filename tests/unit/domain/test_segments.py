"""Segments: exactly what networks bill."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.domain.lanes import Channel
from notifier.domain.notification import Content
from notifier.domain.segments import MAX_SEGMENTS, Encoding, Segments, count_segments, units

GSM, UCS = Encoding.GSM7, Encoding.UCS2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (GSM, 1, 0)),
        ("a" * 160, (GSM, 1, 160)),
        ("a" * 161, (GSM, 2, 161)),
        ("a" * 306, (GSM, 2, 306)),
        ("a" * 307, (GSM, 3, 307)),
        ("€" * 80, (GSM, 1, 160)),
        ("€" * 81, (GSM, 2, 162)),
        # 153 is odd: each part holds 76 pairs and one septet stays empty.
        ("€" * 152, (GSM, 2, 304)),
        ("€" * 153, (GSM, 3, 306)),
        ("a" * 152 + "€" + "a" * 151, (GSM, 2, 305)),
        ("a" * 152 + "€" + "a" * 152, (GSM, 3, 306)),
        ("a" + "€" * 152, (GSM, 2, 305)),
        ("^{}\\[~]|€\f", (GSM, 1, 20)),
        ("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ", (GSM, 1, 31)),
        ("ç", (UCS, 1, 1)),
        ("`", (UCS, 1, 1)),
        ("\t", (UCS, 1, 1)),
        ("\x1b", (UCS, 1, 1)),
        ("ж" * 70, (UCS, 1, 70)),
        ("ж" * 71, (UCS, 2, 71)),
        ("ж" * 134, (UCS, 2, 134)),
        ("ж" * 135, (UCS, 3, 135)),
        ("😀" * 35, (UCS, 1, 70)),
        ("😀" * 36, (UCS, 2, 72)),
        # 67 is odd: 33 pairs a part.
        ("😀" * 66, (UCS, 2, 132)),
        ("😀" * 67, (UCS, 3, 134)),
        ("ж" * 66 + "😀" + "ж" * 65, (UCS, 2, 133)),
        ("ж" * 66 + "😀" + "ж" * 66, (UCS, 3, 134)),
        ("€" * 35 + "ж", (UCS, 1, 36)),
    ],
)
def test_the_parts_of_a_text(text, expected):
    """3GPP TS 23.038 and 23.040: 160/153 septets, 70/67 units, nothing split in two."""
    assert count_segments(text) == Segments(*expected)


def test_the_basic_alphabet_has_its_127_characters_and_the_extension_ten():
    """128 places, of which one is the escape."""
    gsm = [chr(code) for code in range(0x10000) if count_segments(chr(code)).encoding is GSM]
    assert sum(count_segments(character).characters == 1 for character in gsm) == 127
    assert sum(count_segments(character).characters == 2 for character in gsm) == 10


def test_only_text_messages_cost_more_than_one():
    long = Content(text="a" * 500)
    assert [units(channel, long) for channel in Channel] == [1, 4, 1, 1]
    assert units(Channel.SMS, Content()) == 1
    assert MAX_SEGMENTS == 10


@settings(deadline=None)
@given(st.text(alphabet="a€ж😀\ud800", max_size=700))
def test_parts_are_between_the_least_and_the_loosest_packing(text):
    found = count_segments(text)
    single, part = (160, 153) if found.encoding is GSM else (70, 67)
    if found.encoding is UCS:
        assert found.characters == len(text.encode("utf-16-le", "surrogatepass")) // 2
    if found.characters <= single:
        assert found.units == 1
    else:
        assert -(-found.characters // part) <= found.units <= -(-found.characters // (part - 1))
