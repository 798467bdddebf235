"""The providers' pages say what the code does: their tables are made from it."""

import pytest

from notifier.providers.schemes import SCHEMES
from tests.provider_pages import PAGES, rendered


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.md")), ids=lambda path: path.name)
def test_the_tables_are_current(path):
    """`python -m tests.provider_pages` writes them anew."""
    assert rendered(path.read_text()) == path.read_text()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_has_a_page_with_its_options(scheme):
    """By its own name or by its kind's."""
    path = PAGES / f"{SCHEMES[scheme].kind or scheme}.md"
    text = path.read_text()
    assert f"{scheme}://" in text
    assert all(f"`{name}`" in text for name in SCHEMES[scheme].options)


def test_a_table_that_says_something_else_is_replaced():
    page = "x\n<!-- statuses -->\n| old |\n<!-- end -->\ny\n"
    assert "| old |" not in rendered(page)
    assert rendered(page).startswith("x\n<!-- statuses -->\n| status | outcome |\n| --- | --- |\n")
    assert rendered(rendered(page)) == rendered(page)
