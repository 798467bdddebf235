"""Links that run a script are found however they are written; nothing else is."""

import time

import pytest

from notifier.domain.links import has_script_link


@pytest.mark.parametrize(
    "text",
    [
        '<a href="javascript:alert(1)">x</a>',
        "<a href=javascript:alert(1)>x</a>",
        "<a href='JaVaScRiPt:alert(1)'>x</a>",
        '<a href = "  javascript:alert(1)">x</a>',
        '<a href="java\tscr\nipt:alert(1)">x</a>',
        '<a href="&#106;avascript&colon;alert(1)">x</a>',
        '<a href="\x01javascript:alert(1)">x</a>',
        '<a title="x" HREF="vbscript:x">x</a>',
        '<a href="data:text/html,<script>x</script>">x</a>',
        '<img src="javascript:alert(1)">',
        '<form action="javascript:x"><button formaction="javascript:x">',
        '<a href="https://a.example" href="javascript:x">',
        '<svg><a xlink:href="javascript:x">',
    ],
)
def test_a_link_that_runs_is_found(text):
    assert has_script_link(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        '<a href="https://example.com/?q=javascript:x">x</a>',
        '<img src="data:image/png;base64,AAAA">',
        "<p>javascript: is a word, and so is data:</p>",
        "<p>&lt;a href=&quot;javascript:x&quot;&gt;</p>",
        '<a data-href="x" href="/javascript:x">',
        "<a href=>",
        '<a href="',
    ],
)
def test_what_leads_somewhere_stays(text):
    assert not has_script_link(text)


@pytest.mark.parametrize(
    "evil", ["href=", 'href="', "href='\"", "href ", "href =", "href= " * 3, "a href=\"'"]
)
def test_no_text_makes_the_search_slow(evil):
    """256 KB, the most a body may have, in well under a second (a promise of linear time, not of speed)."""
    began = time.perf_counter()
    has_script_link(evil * (256 * 1024 // len(evil)))
    assert time.perf_counter() - began < 10
