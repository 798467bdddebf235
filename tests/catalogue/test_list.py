"""Every entry of the catalogue has its test, and every case its entry."""

import re
import tomllib
from pathlib import Path

from tests.catalogue import (
    test_a_framing,
    test_b_json,
    test_c_fields,
    test_d_recipients,
    test_e_content,
    test_f_access,
    test_g_broker,
    test_own_chat,
    test_own_http,
    test_own_lanes,
    test_own_values,
)  # fmt: skip

ROOT = Path(__file__).parents[2]
LIST = tomllib.loads((ROOT / "tests/catalogue/catalogue.toml").read_text())
ENTRIES = {entry for section in "ABCDEFG" for entry in LIST[section]}
TABLES = (
    test_a_framing,
    test_b_json,
    test_c_fields,
    test_d_recipients,
    test_e_content,
    test_f_access,
    test_g_broker,
)
OWN_MODULES = (test_own_http, test_own_values, test_own_lanes, test_own_chat)
_ENTRY = re.compile(r"\b[A-G]\d\d\b")


def entries_of(cases):
    return {entry for case in cases for entry in _ENTRY.findall(case.name.partition(": ")[0])}


def test_every_entry_stands_in_a_table_or_elsewhere():
    """None is forgotten; and no table has an entry that the list does not know."""
    held = {entry for table in TABLES for entry in entries_of(table.CASES)}
    assert held - ENTRIES == set()
    assert ENTRIES - held - LIST["elsewhere"].keys() == set()


def test_every_test_elsewhere_is_there():
    """The list names functions that exist."""
    for entry, where in LIST["elsewhere"].items():
        assert entry in ENTRIES
        path, _, name = where.partition("::")
        assert re.search(rf"def {name}\(", (ROOT / path).read_text()), where


def test_what_comes_later_has_its_answer_until_then():
    """Nothing that is not built yet is without a case: it is refused, never accepted and ignored."""
    held = {entry for table in TABLES for entry in entries_of(table.CASES)}
    assert LIST["later"].keys() <= held


def test_our_own_cases_are_numbered_without_a_gap():
    """The list began with at least 40; numbers are never given twice."""
    named = [case.name.split()[0] for module in OWN_MODULES for case in module.OWN]
    told = [
        found
        for module in OWN_MODULES
        for found in re.findall(r'"""(OWN-\d+): ', Path(module.__file__).read_text())
    ]
    numbers = sorted(int(name.removeprefix("OWN-")) for name in [*named, *told])
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 40
