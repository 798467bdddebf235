"""The console in a real browser over RabbitMQ and PostgreSQL: what an operator sees and does."""

import json
import re
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import expect

from notifier.domain.keys import key_id_of
from notifier.domain.lifecycle import Mode
from notifier.http.sessions import COOKIE
from notifier.storage import api_keys
from tests.acceptance.fleet import email, message_id, post_many
from tests.browser import audit
from tests.browser.conftest import IMAGES, THREADS
from tests.nodes.waiting import wait_until

LOW, HIGH = "email.low", "email.high"
STREAM = "/v1/lanes/events"
REFUSAL = "554 5.7.1 this content is not wanted here"
#: Every picture of the README, by its name, width and scheme.
PICTURES = [("lanes", width, scheme) for width in (1280, 400) for scheme in ("light", "dark")] + [
    (name, *kind)
    for name in ("failures", "notification", "providers")
    for kind in ((1280, "light"), (400, "dark"))
]


@pytest.fixture
def key(fleet):
    return fleet.key()


@pytest.fixture
def slow(fleet):
    """Sends take half a second, so that threads can be seen at work."""
    fleet.provider.set(delay=[0.4, 0.6])
    yield
    fleet.provider.clear()


@pytest.fixture
def failed(fleet):
    """Notifications that the provider has just refused, by their ids."""
    fleet.provider.set(reply={"DATA": REFUSAL})
    before = fleet.counts().get("failed", 0)
    ids = send(fleet, 3, "medium", reference="order-42")
    wait_until(lambda: fleet.counts().get("failed", 0) == before + 3, 60, "three failures")
    fleet.provider.clear()
    yield ids
    discard_all(fleet)


def send(fleet, number, priority, **more):
    """Post so many e-mails, in a thread: Playwright's own event loop turns in this one."""
    bodies = [email(one, priority=priority, **more) for one in range(number)]
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(post_many, fleet.ports, fleet.key(), bodies).result()


def discard_all(fleet):
    asked = urllib.request.Request(
        f"{fleet.address}/v1/failures/discard",
        data=json.dumps({"filter": {}}).encode(),
        headers={"Authorization": f"Bearer {fleet.key()}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:
        assert answer.status == 200


def test_a_wrong_key_is_told_and_a_right_one_lets_in(fleet, key, open_tab):
    """The key is sent once, in a body; what the browser keeps can't be read by a script and holds no key."""
    tab = open_tab()
    tab.meant |= {(401, "/console/session")}
    tab.page.get_by_label("API key").fill("nk_live_wrong")
    tab.page.get_by_role("button", name="Log in").click()
    expect(tab.page.get_by_role("alert")).to_have_text(re.compile("No such key"))
    tab.log_in(key)

    with_key = [one for one in tab.requests if key in (one.post_data or "")]
    assert [(one.method, one.url) for one in with_key] == [("POST", f"{fleet.address}/console/session")]
    assert not any(key in one.url or key in str(one.headers) for one in tab.requests)
    (cookie,) = tab.page.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == (COOKIE, True, "Strict")
    assert key.rsplit("_", 1)[1] not in cookie["value"]
    kept = "[document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage)]"
    assert tab.page.evaluate(kept) == ["", "{}", "{}"]

    tab.page.reload()
    expect(tab.page.get_by_role("heading", level=1, name="Lanes")).to_be_visible()
    tab.page.get_by_role("button", name="Log out").click()
    expect(tab.page.get_by_label("API key")).to_be_visible()
    assert tab.page.context.cookies() == []


def test_a_log_out_that_did_not_happen_is_not_shown_as_one(key, open_tab):
    """With storage away the session can't be ended: the page says so and stays, and the next try ends it."""
    tab = open_tab()
    tab.meant |= {(503, "/console/session")}
    tab.log_in(key)

    def away(route):
        if route.request.method == "DELETE":
            route.fulfill(
                status=503, content_type="application/problem+json", body='{"title": "Storage is away"}'
            )
        else:
            route.continue_()

    tab.page.route("**/console/session", away)
    tab.page.get_by_role("button", name="Log out").click()
    expect(tab.page.get_by_text("Not logged out, the session goes on. Storage is away")).to_be_visible()
    expect(tab.page.get_by_role("heading", level=1, name="Lanes")).to_be_visible()
    assert len(tab.page.context.cookies()) == 1
    tab.page.unroute("**/console/session")
    tab.page.get_by_role("button", name="Log out").click()
    expect(tab.page.get_by_label("API key")).to_be_visible()
    assert tab.page.context.cookies() == []


def test_threads_are_seen_to_move_between_lanes(fleet, key, slow, open_tab):
    """A flooded lane takes the threads; when a higher one is flooded too, they move over; both stay in the picture."""
    tab = open_tab()
    tab.log_in(key)
    expect(tab.row(lane=LOW)).to_be_visible()
    expect(tab.page.get_by_text(f"of {THREADS} threads are sending")).to_be_visible()

    before = sum(fleet.delivered().values())
    send(fleet, 150, "low")
    wait_until(lambda: tab.running(LOW) >= THREADS // 2, 30, "threads at work for the low lane")
    alone = tab.running(LOW)
    send(fleet, 60, "high")
    wait_until(lambda: tab.running(HIGH) > tab.running(LOW), 30, "threads that moved to the high lane")
    assert tab.running(LOW) < alone
    expect(tab.row(lane=HIGH).locator("td").nth(2)).to_have_text(re.compile("[1-9]"))
    widths = [tab.page.locator(f'path[data-lane="{one}"]').bounding_box()["width"] for one in (LOW, HIGH)]
    assert min(widths) > 0

    again = open_tab()
    again.page.context.add_cookies(tab.page.context.cookies())
    again.page.reload()
    wait_until(lambda: again.running(HIGH) + again.running(LOW) > 0, 60, "the picture in another tab")
    box = again.page.locator(f'path[data-lane="{LOW}"]').bounding_box()
    assert box["width"] >= widths[0]
    wait_until(lambda: sum(fleet.delivered().values()) >= before + 210, 90, "the flood's end")


def test_a_lane_is_paused_and_goes_on_by_the_keyboard(fleet, key, open_tab):
    """The button keeps the focus, says what it does now, and the lane's row says who has paused it."""
    tab = open_tab()
    tab.log_in(key)
    button = tab.page.get_by_role("button", name=f"Pause {LOW}")
    button.focus()
    tab.page.keyboard.press("Enter")
    resume = tab.page.get_by_role("button", name=f"Resume {LOW}")
    expect(resume).to_be_focused()
    expect(tab.row(lane=LOW)).to_contain_text(f"paused by {key_id_of(key)}")
    expect(tab.page.get_by_role("status")).to_contain_text("paused")
    tab.page.keyboard.press("Space")
    expect(tab.page.get_by_role("button", name=f"Pause {LOW}")).to_be_focused()
    expect(tab.row(lane=LOW)).not_to_contain_text("paused")


def test_a_failed_notification_is_found_and_replayed(fleet, key, failed, open_tab):
    """From its reference to the provider's own words; then its reason is replayed, counted first, and all are sent."""
    tab = open_tab()
    tab.log_in(key)
    tab.go("Search")
    tab.page.get_by_label("Reference").fill("order-42")
    tab.page.get_by_role("button", name="Search", exact=True).click()
    expect(tab.page.locator("tbody tr")).to_have_count(3)
    tab.page.get_by_role("link", name=failed[0]).click()
    answer = tab.page.get_by_label(re.compile("What smtp.* answered"))
    expect(answer).to_contain_text("this content is not wanted here")
    expect(tab.page.get_by_role("heading", name=failed[0])).to_contain_text("failed")

    tab.go("Failures")
    row = tab.row(reason="content_rejected")
    expect(row).to_contain_text("3")
    row.get_by_role("button", name="Show").click()
    expect(tab.page.get_by_role("link", name=failed[0])).to_be_visible()
    row.get_by_role("button", name="Replay").click()
    dialog = tab.page.get_by_role("dialog")
    expect(dialog).to_contain_text("3 match.")
    assert audit.of(tab.page) == []
    already = fleet.delivered()
    dialog.get_by_label("Replays a second").fill("50")
    dialog.get_by_role("button", name="Replay").click()
    expect(tab.page.locator(".operation")).to_contain_text("replay done: 3 replayed")
    expect(tab.page.get_by_text("No failure is open.")).to_be_visible()
    wait_until(lambda: len(fleet.delivered()) == len(already) + 3, 30, "three mails")
    assert not any(message_id(one) in fleet.delivered() for one in failed)


def test_failures_are_put_aside(fleet, key, failed, open_tab):
    """Escape leaves everything as it was and gives the focus back; the word puts them aside."""
    tab = open_tab()
    tab.log_in(key)
    tab.go("Failures")
    discard = tab.row(reason="content_rejected").get_by_role("button", name="Discard")
    discard.click()
    expect(tab.page.get_by_role("dialog")).to_contain_text("3 match.")
    tab.page.keyboard.press("Escape")
    expect(tab.page.get_by_role("dialog")).to_have_count(0)
    expect(discard).to_be_focused()
    expect(tab.row(reason="content_rejected")).to_contain_text("3")
    discard.click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    expect(tab.page.locator(".operation")).to_contain_text("3 discarded")
    expect(tab.page.get_by_text("No failure is open.")).to_be_visible()


def test_a_provider_is_taken_out_and_let_back(fleet, key, open_tab):
    """And what happened stands below, with who said it."""
    tab = open_tab()
    tab.log_in(key)
    tab.go("Providers")
    tab.page.get_by_role("button", name=re.compile("Disable .* for email")).click()
    enable = tab.page.get_by_role("button", name=re.compile("Enable .* for email"))
    expect(enable).to_be_focused()
    expect(tab.page.get_by_text("1 of 3 accounts may not send now.")).to_be_visible()
    events = tab.page.get_by_role("table", name="Operator events")
    expect(events.locator("tbody tr").first).to_contain_text("provider disabled")
    expect(events.locator("tbody tr").first).to_contain_text(key_id_of(key))
    enable.click()
    expect(tab.page.get_by_text("All accounts may send.")).to_be_visible()


def test_who_may_only_read_sees_and_does_not_steer(fleet, open_tab):
    """Buttons are there and say what is missing; a test key is shown as one and steers nothing live either."""
    reader = fleet.key()
    narrow = open_tab()
    with fleet.engine.begin() as connection:
        table = api_keys.api_keys
        connection.execute(table.update().where(table.c.id == key_id_of(reader)).values(scopes=["read"]))
    narrow.log_in(reader)
    expect(narrow.page.get_by_role("button", name=f"Pause {LOW}")).to_be_disabled()
    tester = open_tab()
    tester.log_in(fleet.key(mode=Mode.TEST))
    expect(tester.page.get_by_text("test key")).to_be_visible()
    expect(tester.page.get_by_role("button", name=f"Pause {LOW}")).to_be_disabled()


def test_a_revoked_key_ends_what_is_shown(fleet, key, open_tab):
    """The next question brings the form back, which says why."""
    tab = open_tab()
    tab.log_in(key)
    api_keys.revoke(fleet.engine, key_id_of(key))
    tab.meant |= {(401, f"/v1/{path}") for path in ("providers", "operator-events", "lanes/events")}
    tab.page.get_by_role("link", name="Providers").click()
    expect(tab.page.get_by_role("alert")).to_contain_text("has ended")


def test_a_hidden_page_asks_nothing(fleet, key, open_tab):
    """It closes its stream and lets a minute pass; back in sight it opens it again. The other views don't ask either."""
    tab = open_tab(clock=True)
    tab.log_in(key)
    expect(tab.row(lane=LOW)).to_be_visible()
    stream = next(one for one in tab.requests if one.url.endswith(STREAM))
    ended = []
    tab.page.on("requestfailed", lambda one: ended.append(one))  # noqa: PLW0108 - Playwright marks what it is given
    tab.page.on("requestfinished", lambda one: ended.append(one))  # noqa: PLW0108
    tab.page.evaluate(_HIDE, True)
    wait_until(lambda: tab.page.evaluate("document.hidden") and stream in ended, 20, "the stream's end")
    for view in ("Lanes", "Providers", "Failures"):
        tab.page.evaluate(_HIDE, False)
        tab.go(view)
        expect(
            tab.page.get_by_role("table").first.or_(tab.page.get_by_text("No failure is open."))
        ).to_be_visible()
        tab.page.evaluate(_HIDE, True)
        tab.page.wait_for_load_state("networkidle")
        asked = len(tab.requests)
        tab.page.clock.run_for(60_000)
        assert [one.url for one in tab.requests[asked:]] == []
        with tab.page.expect_request("**/v1/**"):
            tab.page.evaluate(_HIDE, False)


#: What the browser itself would do with a tab in the background; headless ones have none.
_HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_everything_can_be_read_and_reached(fleet, key, slow, open_tab, pictures, width, scheme):
    """Labels, names, headings, contrast and the order of the focus, on every view, in both schemes, wide and narrow."""
    fleet.provider.set(reply={"DATA": REFUSAL})
    ids = send(fleet, 4, "medium", reference=f"order-{width}-{scheme}")
    wait_until(lambda: not pending(fleet), 60, "the failures")
    fleet.provider.set(delay=[0.4, 0.6])
    tab = open_tab(width=width, scheme=scheme)
    expect(tab.page.get_by_label("API key")).to_be_visible()
    faults = {"log in": tab.audit()}
    tab.log_in(key)
    if pictures == IMAGES and (width, scheme) == (1280, "light"):
        waves(fleet)
    send(fleet, 60, "low")
    send(fleet, 30, "high")
    wait_until(
        lambda: all(tab.drawn(lane) for lane in (LOW, HIGH)), 60, "threads of both lanes in the picture"
    )
    look(tab, faults, "lanes", pictures)
    tab.go("Search")
    expect(tab.page.locator("tbody tr").first).to_be_visible()
    look(tab, faults, "search", pictures)
    tab.page.get_by_label("Notification id").fill(ids[0])
    tab.page.get_by_label("Notification id").press("Enter")
    expect(tab.page.get_by_label(re.compile("answered"))).to_be_visible()
    look(tab, faults, "notification", pictures)
    tab.go("Failures")
    tab.row(reason="content_rejected").get_by_role("button", name="Show").click()
    expect(tab.page.get_by_role("link", name=ids[0])).to_be_visible()
    look(tab, faults, "failures", pictures)
    tab.go("Providers")
    expect(tab.page.get_by_role("table", name="Provider accounts")).to_be_visible()
    look(tab, faults, "providers", pictures)
    assert {view: found for view, found in faults.items() if found} == {}
    fleet.provider.clear()
    wait_until(lambda: not pending(fleet), 60, "the flood's end")
    discard_all(fleet)


def waves(fleet):
    """Some minutes' work, so that a picture shows what ten minutes look like."""
    for wave in range(9):
        send(fleet, 70 + 12 * (wave % 4), "low")
        send(fleet, 30 + 10 * (wave % 3), "medium")
        send(fleet, 25 * (wave % 3), "high")
        wait_until(lambda: pending(fleet) < 10, 60, "a wave's end")


def look(tab, faults, view, pictures):
    """Take the view's picture and note its faults."""
    tab.page.wait_for_load_state("domcontentloaded")
    if (view, tab.width, tab.scheme) in PICTURES:
        tab.picture(pictures, view)
    faults[view] = [*tab.audit(), *audit.focus_order(tab.page)]


def pending(fleet):
    counts = fleet.counts()
    return sum(counts.get(state, 0) for state in ("scheduled", "queued", "sending"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_api_can_be_read_without_a_key(open_tab, scheme):
    """Every operation and shape of the document, from this origin alone."""
    tab = open_tab(path="/docs", scheme=scheme)
    expect(tab.page.get_by_role("heading", level=1)).to_contain_text("API")
    told = json.loads(
        urllib.request.urlopen(tab.page.url.replace("/docs", "/openapi.json"), timeout=10).read()
    )
    operations = sum(len(methods) for methods in told["paths"].values())
    assert (
        tab.page.locator(
            "section[id^='get_'], section[id^='post_'], section[id^='delete_'], section[id^='patch_']"
        ).count()
        == operations
    )
    assert tab.page.locator("section[id^='shape-']").count() == len(told["components"]["schemas"])
    assert tab.audit() == []
    link = tab.page.get_by_role("link", name="SendRequest").first
    link.click()
    expect(tab.page.locator("#shape-SendRequest")).to_be_in_viewport()


def test_the_audit_finds_what_is_wrong(open_tab, key):
    """A rule that can't fail says nothing."""
    tab = open_tab()
    tab.log_in(key)
    expect(tab.row(lane=LOW)).to_be_visible()
    tab.page.evaluate(
        """() => {
          const main = document.querySelector("main");
          const add = (name, set) => main.append(Object.assign(document.createElement(name), set));
          add("input", {}); add("button", {}); add("h1", { textContent: "another" }); add("h5", { textContent: "deep" });
          add("p", { textContent: "pale", id: "main" }); main.lastChild.style.color = "#999";
          add("p", { textContent: "x".repeat(4000) });
          add("table", {}); main.lastChild.append(document.createElement("tr"));
          main.lastChild.style.width = main.lastChild.style.height = "9px";
          document.querySelector("svg").removeAttribute("aria-label");
        }"""
    )
    found = " ".join(tab.audit())
    for rule in (
        "no label",
        "no name",
        "not one h1",
        "level is left out",
        "contrast 2.6",
        "id twice",
        "sideways",
        "table without",
        "no alternative",
        "without a name",
    ):
        assert rule in found, rule
    assert audit.focus_order(tab.page) == []
    tab.page.evaluate(
        """() => {
          const [first, second, third] = document.querySelectorAll("main button");
          first.tabIndex = -1; second.style.outline = "none"; third.tabIndex = 5;
        }"""
    )
    assert any("an order of its own" in one for one in tab.audit())
    found = " ".join(audit.focus_order(tab.page))
    assert "are reached" in found
    assert "focus is not seen" in found


def test_what_another_site_or_an_inline_script_would_do_is_refused(fleet, key, open_tab):
    """The policy is the browser's, not only a header: each try is refused and told."""
    tab = open_tab()
    tab.log_in(key)
    tab.page.evaluate(
        """async () => {
          const inline = document.createElement("p");
          document.body.append(inline);
          try { inline.setAttribute("onclick", "window.__ran = true"); } catch (error) { /* Trusted Types */ }
          inline.click();
          await fetch("http://127.0.0.1:9/").catch(() => {});
          try { inline.innerHTML = "<b>x</b>"; window.__parsed = true; } catch (error) { /* Trusted Types */ }
        }"""
    )
    assert tab.page.evaluate("[window.__ran, window.__parsed].map(Boolean)") == [False, False]
    told = tab.violations()
    assert (
        len([one for one in told if re.match("script-src-attr|connect-src|require-trusted-types-for", one)])
        == 3
    )
    tab.page.evaluate("window.__violations.length = 0")
    tab.wrong.clear()


@pytest.mark.parametrize(("name", "width", "scheme"), PICTURES)
def test_the_pictures_of_the_readme_are_there_and_small(name, width, scheme):
    """`SCREENSHOTS=1` makes them anew."""
    path = IMAGES / f"console-{name}-{width}-{scheme}.png"
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size < 200_000
