"""What goes wrong around the console, and what an operator then still sees: ends, faults, long texts, long histories."""

import json
import re
import urllib.request
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.test_console import _HIDE, LOW, STREAM, discard_all, send
from tests.nodes.waiting import wait_until

LONG = "R" * 200


@pytest.fixture
def key(fleet):
    return fleet.key()


@pytest.fixture
def refuse(fleet):
    """Makes so many notifications that the provider refuses; gives their ids."""

    def made(number, **more):
        fleet.provider.set(reply={"DATA": f"554 5.7.1 {LONG}"})
        before = fleet.counts().get("failed", 0)
        ids = send(fleet, number, "medium", **more)
        wait_until(lambda: fleet.counts().get("failed", 0) == before + number, 60, "the failures")
        fleet.provider.clear()
        return ids

    yield made
    discard_all(fleet)


def logged_in(open_tab, key, view=None, **more):
    tab = open_tab(**more)
    tab.log_in(key)
    if view:
        tab.go(view)
    return tab


def test_a_session_that_has_ended_is_told_where_only_the_stream_asks(key, open_tab):
    """The lanes' view does not wait for a stream that it will not get again."""
    tab = logged_in(open_tab, key)
    expect(tab.row(lane=LOW)).to_be_visible()
    tab.meant |= {(401, STREAM)}
    tab.page.context.clear_cookies()
    for hidden in (True, False):
        tab.page.evaluate(_HIDE, hidden)
    expect(tab.page.get_by_role("alert")).to_contain_text("has ended")


def test_the_picture_goes_on_when_a_clock_is_put_back(open_tab):
    """By an hour: what the clock called later is left out instead of hiding all that follows."""
    tab = open_tab()
    now = tab.page.evaluate(
        """async () => {
          const { chart } = await import("/console/chart.js");
          const drawn = chart();
          drawn.history([{ at: "2026-01-01T10:00:00Z", threads: 4, running: { one: 1 } }]);
          drawn.add("2026-01-01T10:00:01Z", 4, { one: 1 }, ["one"]);
          drawn.add("2026-01-01T09:00:00Z", 4, { one: 3 }, ["one"]);
          return drawn.element.querySelector("path").getAttribute("data-now");
        }"""
    )
    assert now == "3"


@pytest.mark.parametrize(("link", "view"), [("search/%E0%A4%A", "Search"), ("constructor", "Lanes")])
def test_a_mistyped_link_leads_somewhere(key, open_tab, link, view):
    tab = logged_in(open_tab, key)
    tab.meant |= {(404, "/v1/notifications/%25E0%25A4%25A")}
    tab.page.goto(f"{tab.page.url.split('#')[0]}#/{link}")
    tab.page.reload()
    expect(tab.page.get_by_role("heading", level=1, name=view)).to_be_visible()
    if view == "Search":
        expect(tab.page.get_by_role("alert")).to_contain_text("There is no %E0%A4%A")


def test_the_lists_of_the_form_are_asked_for_again(key, open_tab):
    """One fault on the way does not close the search until somebody reloads."""
    tab = logged_in(open_tab, key)
    tab.meant |= {(503, "/openapi.json")}
    tab.page.route("**/openapi.json", lambda route: route.fulfill(status=503, body="{}"), times=1)
    tab.go("Search")
    expect(tab.page.get_by_role("alert")).to_contain_text("503")
    tab.go("Lanes")
    tab.go("Search")
    expect(tab.page.get_by_label("Notification id")).to_be_visible()


def test_the_way_back_leads_to_the_same_list(fleet, key, refuse, open_tab):
    """Whoever looks at one notification after another asks once; nothing of it is left for the next who logs in."""
    ids = refuse(2, reference="order-77")
    tab = logged_in(open_tab, key, "Search")
    asked = tab.page.get_by_label("Reference")
    asked.fill("order-77")
    tab.page.get_by_role("button", name="Search", exact=True).click()
    expect(tab.page.locator("tbody tr")).to_have_count(2)
    tab.page.get_by_role("link", name=ids[0]).click()
    tab.page.get_by_role("link", name="← Search").click()
    expect(asked).to_have_value("order-77")
    expect(tab.page.get_by_text("2 shown, newest first.")).to_be_visible()
    tab.page.get_by_role("button", name="Log out").click()
    tab.page.get_by_label("API key").fill(key)
    tab.page.get_by_role("button", name="Log in").click()
    expect(tab.page.get_by_role("heading", level=1, name="Search")).to_be_visible()
    expect(asked).to_have_value("")
    asked.fill("order-77")
    tab.page.get_by_role("button", name="Search", exact=True).click()
    tab.page.get_by_role("button", name="Clear").click()
    expect(asked).to_have_value("")
    tab.go("Lanes")
    tab.go("Search")
    expect(asked).to_have_value("")


def test_a_notification_is_followed_as_it_goes_on(fleet, key, open_tab):
    """Nobody has to ask again and again whether it was sent; and what has not changed is not drawn anew."""
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    (one,) = send(fleet, 1, "medium", send_at=later)
    tab = logged_in(open_tab, key, "Search")
    tab.page.get_by_label("Notification id").fill(one)
    tab.page.keyboard.press("Enter")
    heading = tab.page.get_by_role("heading", name=one)
    expect(heading).to_contain_text("scheduled")
    heading.evaluate("(drawn) => { drawn.dataset.first = 'yes'; }")
    for _ in range(2):
        with tab.page.expect_response(f"**/v1/notifications/{one}"):
            pass
    expect(heading).to_have_attribute("data-first", "yes")
    asked = urllib.request.Request(
        f"{fleet.address}/v1/notifications/{one}/cancel",
        method="POST",
        headers={"Authorization": f"Bearer {fleet.key()}"},
    )
    assert urllib.request.urlopen(asked, timeout=10).status == 200
    expect(heading).to_contain_text("cancelled", timeout=10_000)


def test_a_rare_match_is_looked_for_and_as_far_back_as_wanted(key, open_tab):
    """Pages on which nothing fits are passed over by themselves; the time is chosen."""
    tab = logged_in(open_tab, key, "Search")
    asked = []

    def answer(route):
        asked.append(parse_qs(urlsplit(route.request.url).query))
        after = {None: "page1", "page1": "page2", "page2": None}
        route.fulfill(json={"data": [], "next_cursor": after[asked[-1].get("cursor", [None])[0]]})

    tab.page.route("**/v1/notifications?*", answer)
    tab.page.get_by_label("Created in").select_option("all time")
    tab.page.get_by_label("Tag").fill("rare")
    tab.page.get_by_role("button", name="Search", exact=True).click()
    expect(tab.page.get_by_text("Nothing was found.")).to_be_visible()
    # What the view asks for as it opens may be among them.
    asked = [one for one in asked if one.get("tag") == ["rare"]]
    assert [one.get("cursor") for one in asked] == [None, ["page1"], ["page2"]]
    assert {*map(json.dumps, (one["created_after"] for one in asked))} == {'["1970-01-01T00:00:00.000Z"]'}


def test_what_fails_after_the_count_is_left_alone(fleet, key, refuse, open_tab):
    """What was counted is what is done: nobody has seen the others."""
    refuse(3)
    tab = logged_in(open_tab, key, "Failures")
    row = tab.row(reason="content_rejected")
    row.get_by_role("button", name="Discard").click()
    dialog = tab.page.get_by_role("dialog")
    expect(dialog).to_contain_text("3 match.")
    refuse(2)
    dialog.get_by_role("button", name="Discard").click()
    expect(tab.page.locator(".operation")).to_contain_text("discard done: 3 discarded")
    expect(row.locator("td").nth(1)).to_have_text(re.compile("2$"))


def test_two_clicks_ask_one_question(key, refuse, open_tab):
    """However slow the answer that the question itself waits for."""
    refuse(1)
    tab = logged_in(open_tab, key, "Failures")
    held = []
    tab.page.route("**/openapi.json", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks what it is given
    replay = tab.row(reason="content_rejected").get_by_role("button", name="Replay")
    replay.dblclick()
    wait_until(lambda: tab.page.evaluate("1") and held, 10, "the question's own question")
    held.pop().continue_()
    expect(tab.page.get_by_role("dialog")).to_contain_text("1 matches.")
    assert tab.page.locator("dialog").count() == 1


def test_progress_is_seen_again_after_a_reload(key, refuse, open_tab):
    """And after a look at another view, until it has ended."""
    refuse(2)
    tab = logged_in(open_tab, key, "Failures")
    tab.row(reason="content_rejected").get_by_role("button", name="Replay").click()
    dialog = tab.page.get_by_role("dialog")
    expect(dialog).to_contain_text("2 match.")
    dialog.get_by_label("Replays a second").fill("0.01")
    dialog.get_by_role("button", name="Replay").click()
    running = tab.page.locator(".operation")
    expect(running).to_contain_text("replay running")
    tab.page.reload()
    expect(running).to_contain_text("replay running")
    tab.go("Lanes")
    tab.go("Failures")
    expect(running).to_have_count(1)
    running.get_by_role("button", name="Stop").click()
    expect(running).to_contain_text("replay cancelled")
    tab.page.reload()
    expect(tab.row(reason="content_rejected")).to_be_visible()
    expect(running).to_have_count(0)


def test_what_costs_storage_much_is_asked_more_rarely(open_tab):
    """At most a tenth of the time."""
    tab = open_tab(clock=True)
    tab.page.evaluate(
        """async () => {
          const { repeated } = await import("/console/live.js");
          window.turns = 0;
          repeated(() => { window.turns += 1; return new Promise((done) => setTimeout(done, 2000)); }, 1);
        }"""
    )
    for seconds, turns in ((21, 1), (2, 2)):
        tab.page.clock.run_for(seconds * 1000)
        assert tab.page.evaluate("window.turns") == turns


@pytest.mark.parametrize("width", [1280, 400])
def test_a_long_text_is_broken_and_not_wide(key, refuse, open_tab, width):
    """Callers choose references, providers their answers."""
    refuse(1, reference=LONG)
    tab = logged_in(open_tab, key, "Search", width=width)
    expect(tab.page.get_by_text(LONG).first).to_be_visible()
    assert tab.audit() == []
    tab.go("Failures")
    tab.row(reason="content_rejected").get_by_role("button", name="Show").click()
    expect(tab.page.get_by_text(LONG).first).to_be_visible()
    assert tab.audit() == []
